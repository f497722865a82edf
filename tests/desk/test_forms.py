"""A portal's form: what managers may define, and what customers may fill in (A3)."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import limits
from broker.codes import Code
from broker.content import Personal
from broker.desk import events as e
from broker.desk import forms
from broker.desk.outcome import Refusal
from broker.protocol import check, ops
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import customer, desk, document, manager, offer_id, personal, representative, request_id
from tests.support.scene import Scene, office

MIA = manager()
FORM: list[dict[str, Any]] = [
    {"field": "order", "type": "text", "label": "Order", "required": True, "min": 3, "max": 8},
    {"field": "story", "type": "long_text", "label": {"en": "Story", "de": "Vorfall"}},
    {"field": "mail", "type": "email", "label": "Mail"},
    {"field": "tel", "type": "phone", "label": "Telephone"},
    {"field": "pieces", "type": "number", "label": "Pieces", "min": 1, "max": 99},
    {"field": "weight", "type": "number", "label": "Weight"},
    {
        "field": "topic",
        "type": "choice",
        "label": "Topic",
        "choices": [
            {"choice": "bill", "label": "Bill"},
            {"choice": "other", "label": {"en": "Other", "de": "Anderes"}},
        ],
    },
    {"field": "agreed", "type": "checkbox", "label": "I agree", "required": True},
    {"field": "news", "type": "checkbox", "label": "News"},
    {"field": "day", "type": "date", "label": "Day"},
]
FILLED: dict[str, object] = {"order": "A 100", "agreed": True}


def parsed(form: object) -> forms.Form:
    """The form of these fields, which must be right."""
    found = forms.parse(Personal.document(form), "en")
    assert not isinstance(found, Refusal), found.text
    return found


def portal(*, form: object = FORM, **more: Any) -> ops.PortalPut:
    return ops.PortalPut("help", "button", "queue", ["help"], form=document(form, "d_form"), **more)


def shop(*names: str) -> Scene:
    scene = office(*names, kind="button")
    scene.ok(portal(), MIA)
    return scene


def asked(scene: Scene, name: str, **fields: object) -> Any:
    return scene.do(ops.RequestCreate(fields=document(fields, f"d_{name}")), customer(name), name)


# --- what customers fill in --------------------------------------------------------------------------

RIGHT: list[dict[str, object]] = [
    {},
    {"order": "abc"},
    {"order": "ä" * 8},
    {"story": "x" * 4000, "mail": "kim@example.org", "tel": "+49 (30) 123-4/5", "day": "2028-02-29"},
    {"pieces": 1, "weight": -1.5, "topic": "other", "news": False},
    {"pieces": 99, "mail": None, "story": ""},
]
WRONG: list[tuple[str, object, str]] = [
    ("order", None, "a value: it is required (text)"),
    ("order", "ab", "a text of 3 to 8 characters"),
    ("order", "x" * 9, "a text of 3 to 8 characters"),
    ("order", "    ", "a text of 3 to 8 characters"),
    ("order", 100, "a text of 3 to 8 characters"),
    ("story", "x" * 4001, "a text of 0 to 4000 characters"),
    ("mail", "kim", "an e-mail address"),
    ("mail", "kim @x", "an e-mail address"),
    ("mail", "k@" + "x" * 253, "an e-mail address"),
    ("mail", 1, "an e-mail address"),
    ("tel", "12", "a telephone number of 3 to 32 digits, blanks and + ( ) / . -"),
    ("tel", "1" * 33, "a telephone number of 3 to 32 digits, blanks and + ( ) / . -"),
    ("pieces", 0, "a number from 1 to 99"),
    ("pieces", 100, "a number from 1 to 99"),
    ("pieces", "7", "a number from 1 to 99"),
    ("weight", True, "a number"),
    ("topic", "Bill", "one of bill, other"),
    ("topic", 1, "one of bill, other"),
    ("agreed", False, "true: it is required"),
    ("agreed", None, "a value: it is required (checkbox)"),
    ("news", 1, "true or false"),
    ("day", "2027-02-29", "a date YYYY-MM-DD"),
    ("day", "20270228", "a date YYYY-MM-DD"),
    ("day", 5, "a date YYYY-MM-DD"),
    ("colour", "red", "nothing: the portal's form has no such field"),
]


@pytest.mark.parametrize("values", RIGHT, ids=repr)
def test_A3_what_fits_the_form_is_taken(values: dict[str, object]) -> None:
    assert forms.wrong(parsed(FORM), Personal.document({**FILLED, **values})) is None


@pytest.mark.parametrize(("field", "value", "expected"), WRONG)
def test_A3_the_error_names_the_field(field: str, value: object, expected: str) -> None:
    scene = shop("ann")
    refusal = asked(scene, "kim", **{**FILLED, field: value})
    assert isinstance(refusal, Refusal)
    assert refusal.code is Code.BAD_ARGS
    assert refusal.text == f"args.fields.{field}: expected {expected}"
    assert refusal.detail == {"path": f"args.fields.{field}", "expected": expected}


@given(values=st.dictionaries(st.sampled_from([one["field"] for one in FORM]), st.integers() | st.text() | st.none()))
def test_A3_anything_is_taken_or_refused_by_a_field_of_it(values: dict[str, object]) -> None:
    form = parsed(FORM)
    refusal = forms.wrong(form, Personal.document(values))
    if refusal is None:
        required = {name for name, _, required, *_ in form if required}
        assert all(values.get(name) is not None for name in required)
    else:
        assert str((refusal.detail or {})["path"]).removeprefix("args.fields.") in {field[0] for field in form}


def test_A3_a_long_name_is_told_cut_and_too_much_in_all_is_refused() -> None:
    refusal = forms.wrong((), Personal.document({"x" * 5000: 1}))
    assert refusal is not None
    assert (refusal.detail or {})["path"] == f"args.fields.{'x' * 64}"
    form = parsed([{"field": f"f{n}", "type": "long_text", "label": "?"} for n in range(3)])
    assert forms.wrong(form, Personal.document({"f0": "x" * 4000})) is None
    refusal = forms.wrong(form, Personal.document({f"f{n}": "x" * 4000 for n in range(3)}))
    assert refusal is not None
    assert refusal.text == f"args.fields: expected at most {limits.FIELDS_BYTES} bytes in all"


def test_A3_a_portal_without_a_form_takes_no_fields_and_one_with_a_form_asks_for_it() -> None:
    scene = office("ann", kind="button")
    assert (
        asked(scene, "kim", order="x").text
        == "args.fields.order: expected nothing: the portal's form has no such field"
    )
    scene.ok(portal(), MIA)
    refusal = scene.refused(ops.RequestCreate(), customer("kim"), Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == "args.fields.order"
    scene.ok(portal(form=[{"field": "news", "type": "checkbox", "label": "?"}]), MIA)
    scene.ok(ops.RequestCreate(), customer("kim"))


@pytest.mark.parametrize("name", ["name", "text", "email"])
def test_A3_name_text_and_email_can_be_required(name: str) -> None:
    scene = office("ann", kind="button")
    scene.ok(ops.PortalPut("help", "button", "queue", ["help"], require=[name, name]), MIA)
    assert scene.desk.state.portals["help"].require == (name,)
    refusal = scene.refused(ops.RequestCreate(), customer("kim"), Code.BAD_ARGS)
    assert refusal.text == f"args.{name}: expected a value: the portal requires it"
    given_: dict[str, Any] = {name: personal("kim@x")}
    scene.ok(ops.RequestCreate(**given_), customer("kim"))


# --- whom it is told --------------------------------------------------------------------------------


def test_A3_what_was_filled_in_is_told_to_those_who_may_take_the_request_and_never_to_the_account() -> None:
    scene = shop("ann")
    asked(scene, "kim", **FILLED)
    assert scene.desk.held_contents() >= {"d_form", "d_kim"}
    scene.accept(offer_id("kim"), "ann")
    shown = {'{"order":"A 100"}': {"order": "A 100"}}
    told = {kind: data for kind, data in scene.told("me:ann", '{"order":"A 100"}') if "fields" in data}
    assert {kind: data["fields"] for kind, data in told.items()} == dict.fromkeys(
        ("offer.made", "session.opened"), next(iter(shown.values()))
    )
    for kind, data in told.items():
        check.check_event(kind, data)
    assert not any(
        "fields" in data for stream in ("account", "team:blue", "me:v_kim") for _, data in scene.told(stream)
    )
    records = [stored(record) for record in scene.records]
    assert b"A 100" not in b"".join(record[2] for record in records)
    same_desk(replay(desk(), records), scene.desk)
    same_desk(reloaded(scene.desk), scene.desk)
    scene.end(next(iter(scene.desk.state.sessions)))
    assert "d_kim" in scene.desk.drain_released()


def test_A3_it_is_in_the_list_of_who_waits_for_representatives_alone() -> None:
    scene = shop()
    scene.ok(portal(take="any"), MIA)
    scene.staff("blue", "ann", presence="away")
    asked(scene, "kim", **FILLED)
    (shown,) = cast("list[dict[str, object]]", scene.ok(ops.CaseList("help"), representative("ann")).value["requests"])
    assert shown["request"] == request_id("kim")
    assert cast("tuple[str, bytes]", shown["fields"])[0] == "d_kim"
    (shown,) = cast("list[dict[str, object]]", scene.ok(ops.CaseList("help"), MIA).value["requests"])
    assert "fields" not in shown


# --- what managers define ----------------------------------------------------------------------------

CHOICES = [{"choice": "a", "label": "A"}]
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"type": "date", "min": 1}, "min: expected nothing: only text, long_text and number have bounds"),
    ({"type": "text", "max": 201}, "max: expected a length from 0 to 200"),
    ({"type": "long_text", "min": -1}, "min: expected a length from 0 to 4000"),
    ({"type": "number", "min": 5, "max": 4}, "max: expected no less than the 5 of min"),
    ({"type": "choice"}, "choices: expected choices, with type = choice and only there"),
    ({"type": "text", "choices": CHOICES}, "choices: expected choices, with type = choice and only there"),
    ({"type": "choice", "choices": CHOICES * 2}, "choices[1].choice: expected each choice once"),
    ({"label": ""}, "label: expected a text of 1 to 200 characters, or such texts by language"),
    ({"label": 5}, "label: expected a text of 1 to 200 characters, or such texts by language"),
    ({"label": {"en": "x" * 201}}, "label: expected a text of 1 to 200 characters, or such texts by language"),
    ({"label": {"de": "Feld"}}, "label: expected a text, or texts by language, en among them"),
    ({"label": {"en": "Field", "?": "x"}}, "label: expected a text, or texts by language, en among them"),
    (
        {"type": "choice", "choices": [{"choice": "a", "label": {}}]},
        "choices[0].label: expected a text, or texts by language, en among them",
    ),
]


@pytest.mark.parametrize(("fault", "told"), FAULTS)
def test_A3_a_mistake_in_a_form_is_named(fault: dict[str, Any], told: str) -> None:
    scene = office()
    good = {"field": "one", "type": "text", "label": "One"}
    refusal = scene.refused(portal(form=[good, {**good, "field": "two", **fault}]), MIA, Code.BAD_ARGS)
    assert refusal.text == f"args.form[1].{told}"


def test_A3_each_field_once_and_a_form_is_bounded_and_a_pin_has_none() -> None:
    scene = office()
    good = {"field": "one", "type": "text", "label": "One"}
    assert (
        scene.refused(portal(form=[good, good]), MIA, Code.BAD_ARGS).text
        == "args.form[1].field: expected each field once"
    )
    long = [
        {**good, "field": f"f{n}", "label": {f"{a}{b}": "x" * 200 for a in "abe" for b in "nop"}} for n in range(20)
    ]
    assert scene.refused(portal(form=long), MIA, Code.BAD_ARGS).text == "args.form: expected at most 16384 bytes in all"
    for name, given_ in (("form", document([good], "d_1")), ("require", ["text"])):
        command = ops.PortalPut("phone", "pin", "phone", ["phone"], **{name: given_})  # type: ignore[arg-type]
        assert (scene.refused(command, MIA, Code.BAD_ARGS).detail or {})["path"] == f"args.{name}"


def test_A3_a_portals_page_gets_the_form_in_its_language_and_managers_the_whole() -> None:
    scene = shop()
    form = document(FORM)
    value = scene.ok(ops.PortalOpen("de"), customer("kim")).value
    assert value["language"] == "de"
    told = cast("list[dict[str, object]]", scene.words(value, form.text)["form"])
    check.check_result("portal.open", {**scene.words(value, form.text), "representatives": []})
    assert [one["label"] for one in told][:2] == ["Order", "Vorfall"]
    assert told[6]["choices"] == [{"choice": "bill", "label": "Bill"}, {"choice": "other", "label": "Anderes"}]
    (shown,) = cast("list[dict[str, object]]", scene.ok(ops.AccountGet(), MIA).value["portals"])
    assert scene.words(shown, form.text)["form"] == FORM
    event = scene.events(e.PortalPut)[-1]
    assert event.form[0] == ("order", "text", True, 3, 8, ())
    assert {"field": "form"} in cast("list[object]", scene.told("account")[-1][1]["changes"])


def test_a_form_that_is_replaced_is_released_and_the_same_one_is_no_change() -> None:
    scene = shop()
    assert scene.ok(portal(), MIA).value["changed"] is False  # the same content
    scene.ok(ops.PortalPut("help", "button", "queue", ["help"]), MIA)
    assert scene.desk.drain_released() == ["d_form"]
    assert scene.desk.state.portals["help"].form == ()
