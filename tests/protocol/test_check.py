import copy
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.content import Personal
from broker.protocol import check
from broker.protocol.check import (
    ROLES,
    WRITES,
    BadArgs,
    NoSuchOp,
    check_event,
    check_notice,
    check_result,
    fingerprint,
    overlong,
    parse,
    personal_fields,
)
from broker.protocol.codec import unpack_value
from broker.protocol.fields import Wrong, compile_map
from broker.protocol.ops import OPS, OfferAccept, PortalPut, RequestCreate, Subscribe
from tests.protocol.agreement import attribute
from tests.protocol.samples import bad_maps, edges, fitting, good_map, plain, tables

TABLES = tables()
every_op = pytest.mark.parametrize("op", sorted(TABLES["ops"]))


def unnoticed(fields: Any, root: str, run: Callable[[Any], object], *, erasable: bool) -> list[Any]:
    """Maps with a missing or wrong field that ``run`` lets through, or refuses by another path."""
    through: list[Any] = []
    for path, value in bad_maps(fields, erasable=erasable):
        try:
            run(value)
        except BadArgs as wrong:
            if wrong.path == root + path and str(wrong) == f"{wrong.path}: expected {wrong.expected}":
                continue
        through.append((path, value))
    return through


# --- arguments -----------------------------------------------------------------------------------


@every_op
def test_an_op_takes_what_the_schema_says(op: str) -> None:
    args = good_map(TABLES["ops"][op]["args"])
    command = parse(op, args)
    assert type(command) is OPS[op]
    for name, value in args.items():
        field = getattr(command, attribute(name))
        if TABLES["ops"][op]["args"][name].get("personal"):
            assert isinstance(field, Personal)
            assert field.plain == value
        else:
            assert field == value


@every_op
def test_optional_arguments_may_be_missing_or_nil(op: str) -> None:
    fields = TABLES["ops"][op]["args"]
    least = good_map(fields, full=False)
    command = parse(op, least)
    assert command == parse(op, {**dict.fromkeys(fields), **least})
    for name, spec in fields.items():
        if spec.get("optional"):
            assert getattr(command, attribute(name)) is None


@every_op
def test_unknown_arguments_are_ignored(op: str) -> None:
    args = good_map(TABLES["ops"][op]["args"])
    assert parse(op, {**args, "later": object(), "self": 1}) == parse(op, args)


@every_op
def test_every_argument_is_checked_and_named(op: str) -> None:
    assert unnoticed(TABLES["ops"][op]["args"], "args", lambda args: parse(op, args), erasable=False) == []


@every_op
def test_the_largest_and_smallest_arguments_are_taken(op: str) -> None:
    fields = TABLES["ops"][op]["args"]
    for name, spec in fields.items():
        for value in edges(spec):
            parse(op, {**good_map(fields), name: value})


@every_op
@pytest.mark.parametrize("args", [None, [], "x", 7, b"x", True])
def test_arguments_are_a_map(op: str, args: object) -> None:
    with pytest.raises(BadArgs) as caught:
        parse(op, args)
    assert (caught.value.path, caught.value.expected) == ("args", "a map")


@pytest.mark.parametrize("op", ["", "teapot.brew", "request.Create", "request.create ", "request"])
def test_there_is_no_other_op(op: str) -> None:
    with pytest.raises(NoSuchOp):
        parse(op, {})


@pytest.mark.slow
@given(st.sampled_from(sorted(OPS)), plain())
def test_any_arguments_give_a_command_or_a_path(op: str, args: Any) -> None:
    path = "args"
    try:
        parse(op, args)
    except BadArgs as wrong:
        path = wrong.path
    assert path.startswith("args")


@given(st.data())
def test_any_fitting_arguments_give_a_command(data: st.DataObject) -> None:
    op = data.draw(st.sampled_from(sorted(OPS)))
    fields = TABLES["ops"][op]["args"]
    parse(op, {name: data.draw(fitting(spec)) for name, spec in fields.items()})


def test_a_check_that_checks_less_is_noticed() -> None:
    """Each field in turn is let through unchecked: the samples above find every one."""
    for op, entry in TABLES["ops"].items():
        for part in ("args", "result"):
            for name in entry[part]:
                loose = copy.deepcopy(entry[part])
                loose[name] = {"type": "doc", "optional": True}
                careless = compile_map(loose)

                def run(value: Any, careless: Callable[[object], object] = careless) -> None:
                    try:
                        careless(value)
                    except Wrong as wrong:
                        raise BadArgs(f"x{wrong.path}", wrong.expected) from None

                if entry[part][name] != {"type": "doc", "optional": True}:
                    assert unnoticed(entry[part], "x", run, erasable=True) != [], (op, part, name)


# --- results, events, notices --------------------------------------------------------------------


@every_op
def test_every_field_of_a_result_is_checked_and_named(op: str) -> None:
    fields = TABLES["ops"][op]["result"]
    check_result(op, good_map(fields))
    check_result(op, {**good_map(fields, full=False), "replayed": True})
    assert unnoticed(fields, "value", lambda value: check_result(op, value), erasable=True) == []


@pytest.mark.parametrize("kind", sorted(TABLES["events"]))
def test_every_field_of_an_event_is_checked_and_named(kind: str) -> None:
    fields = TABLES["events"][kind]["data"]
    check_event(kind, good_map(fields))
    assert unnoticed(fields, "data", lambda data: check_event(kind, data), erasable=True) == []


@pytest.mark.parametrize("kind", sorted(TABLES["notices"]))
def test_every_field_of_a_notice_is_checked_and_named(kind: str) -> None:
    fields = TABLES["notices"][kind]["data"]
    check_notice(kind, good_map(fields))
    assert unnoticed(fields, "data", lambda data: check_notice(kind, data), erasable=True) == []


def test_what_was_erased_can_be_read() -> None:
    check_event("session.opened", {**good_map(TABLES["events"]["session.opened"]["data"]), "name": {"erased": True}})


@pytest.mark.parametrize("hold", [check_result, check_event, check_notice])
def test_an_unknown_name_is_no_such_op(hold: Callable[[str, object], None]) -> None:
    with pytest.raises(NoSuchOp):
        hold("teapot.brewed", {})


# --- who, what, and with which key ---------------------------------------------------------------


@every_op
def test_roles_and_writes_are_those_of_the_schema(op: str) -> None:
    assert ROLES[op] == set(TABLES["ops"][op]["roles"])
    assert (op in WRITES) is TABLES["ops"][op].get("writes", False)


@every_op
def test_the_personal_fields_of_a_command_are_found(op: str) -> None:
    fields = TABLES["ops"][op]["args"]
    wanted = [name for name, spec in fields.items() if spec.get("personal")]
    command = parse(op, good_map(fields))
    assert personal_fields(command) == [getattr(command, name) for name in wanted]
    assert all(isinstance(found, Personal) for found in personal_fields(command))


@pytest.mark.parametrize(
    ("op", "args", "path"),
    [
        ("request.create", {"fields": {"a": b"x"}}, "args.fields.a"),
        ("request.create", {"fields": {"a": ["x", {"b": b"x"}]}}, "args.fields.a[1].b"),
        ("portal.put", {"form": [{"field": "a", "type": "text", "label": b"x"}]}, "args.form[0].label"),
    ],
)
def test_a_document_has_no_bin_for_it_is_kept_as_json(op: str, args: dict[str, object], path: str) -> None:
    fields = TABLES["ops"][op]["args"]
    with pytest.raises(BadArgs) as caught:
        parse(op, {**good_map(fields, full=False), **args})
    assert (caught.value.path, caught.value.expected) == (path, "no bin")


def test_a_personal_field_that_is_missing_is_left_out() -> None:
    assert personal_fields(RequestCreate(name=Personal("Ann"))) == [Personal("Ann")]
    assert personal_fields(OfferAccept("o_1")) == []


def test_from_has_another_name_in_python() -> None:
    assert parse("subscribe", {"stream": "me", "from": "now"}) == Subscribe("me", "now")


@every_op
def test_a_fingerprint_tells_every_argument_apart(op: str) -> None:
    fields = TABLES["ops"][op]["args"]
    args = good_map(fields)
    whole = fingerprint(parse(op, args))
    assert whole == fingerprint(parse(op, dict(reversed(args.items()))))
    for name, spec in fields.items():
        other = next(value for value in edges(spec) if value != args[name])
        assert (fingerprint(parse(op, {**args, name: other})) == whole) == bool(spec.get("unkeyed"))
        if spec.get("optional") and not spec.get("unkeyed"):
            assert fingerprint(parse(op, {**args, name: None})) != whole


def test_no_two_ops_have_one_fingerprint() -> None:
    prints = [fingerprint(parse(op, good_map(entry["args"]))) for op, entry in TABLES["ops"].items()]
    assert len(set(prints)) == len(prints)


def test_a_fingerprint_holds_the_text_and_not_its_reference() -> None:
    first, second = Personal("hello"), Personal("hello")
    second.seal("c_1", bytes(16))
    assert fingerprint(RequestCreate(text=first)) == fingerprint(RequestCreate(text=second))


def test_a_fingerprint_does_not_change_when_optional_arguments_are_added() -> None:
    assert unpack_value(fingerprint(RequestCreate(subportal="billing"))) == (
        "request.create",
        {"subportal": "billing"},
    )


def test_every_attribute_of_a_command_is_an_argument() -> None:
    for op, made in OPS.items():
        assert {field.name for field in attrs.fields(made)} == {attribute(name) for name in TABLES["ops"][op]["args"]}


def test_a_list_argument_is_a_list() -> None:
    command = parse("portal.put", good_map(TABLES["ops"]["portal.put"]["args"]))
    assert isinstance(command, PortalPut)
    assert command.subportals == ["first-line"]


def test_the_tables_cover_the_same_ops() -> None:
    assert set(ROLES) == set(OPS) == set(check._PARSE) == set(check._RESULTS)
    assert set(OPS) >= WRITES


def test_only_what_is_too_long_is_told_before_it_is_sent() -> None:
    found = overlong("chat.send", {"session": "s_1", "text": "x" * 16385})
    assert found is not None
    assert str(found) == "args.text: expected a string of 1 to 16384 bytes"
    assert overlong("chat.send", {"session": "s_1", "text": "x" * 16384}) is None
    assert overlong("chat.send", {"session": "s_1"}) is None
    assert overlong("chat.send", {"session": 5, "text": "x"}) is None
    assert overlong("chat.shout", {"text": "x" * 50_000}) is None
