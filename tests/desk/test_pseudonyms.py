"""H11: who left is named nowhere in what is told from then on, whatever happened before; only the audit keeps names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import cast, get_type_hints

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.codes import Code
from broker.desk import commands as c
from broker.desk import events as e
from broker.desk import pseudonyms
from broker.desk.explain import Told, is_decision, named, tell
from broker.desk.identity import Identity, Role
from broker.desk.publish import render
from broker.desk.view import view
from broker.protocol import ops
from tests.support.builders import desk, manager, personal, representative
from tests.support.people import boss, hashed, made_key
from tests.support.scene import Scene, office
from tests.support.walk import STAFF, draw, walk

fewer = settings(max_examples=settings().max_examples // 4)

NO_PERSON: Mapping[type, tuple[str, ...]] = {
    e.PresenceChanged: ("by",),  # which side: representative, manager, broker
    e.ShareEnded: ("by",),
    e.ShareStarted: ("by",),
    e.ShareControlled: ("by",),
    e.RequestMoved: ("former",),  # a sub-portal
    e.RepresentativePut: ("former",),  # a team
    e.RepresentativeDeleted: ("former",),  # a pseudonym
    e.ManagerDeleted: ("former",),
    e.ServiceDeleted: ("former",),
}
"""Fields called like one that holds a name, which hold something else."""
THINGS = frozenset({
    "case", "mail", "subject",
    "file", "files", "sha256", "type",
    "asked", "block", "changes", "class_", "classes", "code", "comment", "customer", "customer_name", "digest", "email",
    "fields", "form", "functions", "hours", "how", "into", "key", "kind", "labels", "ladder", "language",
    "languages", "mode", "modes", "name", "need", "network", "note", "object", "offer", "op", "origins", "outcome",
    "overflow", "page", "parent", "password", "pick_fallback", "pin", "policy", "portal", "presence", "reason",
    "reasons", "relax", "representative_name", "request", "require", "rights", "role", "rows", "rule", "scopes",
    "session", "sessions", "share", "sign_in", "sign_ins", "skills", "source", "state", "states", "subportal",
    "subportals", "take", "team", "teams", "text", "texts", "title", "upto", "visitor", "web_chat",
    "data", "guests", "leg", "monitoring", "outcomes", "reply", "survey", "survey_labels",
})  # fmt: skip
"""Fields that hold no name of a representative, manager or service."""
ONLY_AUDIT = (e.Audited, e.RefusalsCounted)


def unclassified(named_fields: Mapping[type, tuple[str, ...]]) -> list[str]:
    """Fields of text of which nobody said whether they hold somebody's name."""
    found = []
    for cls in e.EVENTS.values():
        hints = get_type_hints(cls)
        for field in attrs.fields(cls):
            known = field.name in named_fields.get(cls, ()) or field.name in NO_PERSON.get(cls, ())
            textual = "str" in str(hints[field.name])
            if textual and not known and field.name not in THINGS and cls not in ONLY_AUDIT:
                found.append(f"{cls.__name__}.{field.name}")
    return found


def test_of_every_field_of_every_event_it_is_known_whether_it_holds_a_name() -> None:
    assert unclassified(pseudonyms.NAMED) == []
    for cls, fields in pseudonyms.NAMED.items():
        assert set(fields) <= {field.name for field in attrs.fields(cls)}
        assert not set(fields) & THINGS


def test_caught_a_field_that_was_forgotten() -> None:
    assert unclassified({**pseudonyms.NAMED, e.OfferMade: ("by",)}) == ["OfferMade.representative"]


# --- whatever happened -------------------------------------------------------------------------------

CHIEFS = ("mia", "max", "moe")


def words(value: object) -> Iterator[str]:
    """Every string in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from words(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from words(inner)


def tellers(value: object, people: Sequence[str]) -> list[str]:
    """The names among the words of a value."""
    pattern = re.compile(rf"(?<![\w-])({'|'.join(people)})(?![\w-])")
    return [word for word in words(value) if pattern.search(word)]


def eventful(seed: int, steps: int) -> Scene:
    """A life with people who do what they do, are signed in, have keys, and leave one after the other."""
    scene, chance = Scene(), Random(seed)
    for _ in walk(scene, seed, steps):
        pass
    for name in CHIEFS:
        scene.do(ops.ManagerPut(name, "account"), manager(CHIEFS[0]))
    scene.do(ops.SubportalPut("x", sticky_ms=60_000), manager("max"))
    scene.do(ops.ServicePut("crm", ["events"]), manager("moe"))
    scene.do(ops.KeyCreate("crm", None), manager("moe"), prepared=made_key("k1"))
    scene.do(ops.PasswordSet("x", person="ann"), manager("max"), prepared=hashed("x"))
    leaving = [*STAFF, "max", "crm"]
    chance.shuffle(leaving)
    for name in leaving:
        for person in STAFF:
            scene.do(c.SignIn(person, "representative", "password", "192.0.2.0/24", scene.now + 1000))
        for _ in range(10):
            scene.pass_time(chance.choice([1, 400, 20_000]))
            scene.do(*draw(scene, chance, 0.05))
        _let_go(scene, name)
    for _ in range(20):
        scene.pass_time(chance.choice([1, 400, 20_000]))
        scene.do(*draw(scene, chance, 0.05))
    return scene


def _let_go(scene: Scene, name: str) -> None:
    state = scene.desk.state
    if name in state.representatives:
        scene.ok(ops.RepresentativeDelete(name), manager("moe"))
    elif name in state.managers:
        scene.ok(ops.ManagerDelete(name), manager("moe"))
    elif name in state.services:
        scene.ok(ops.ServiceDelete(name), manager("moe"))


def named_in(scene: Scene) -> list[str]:
    """Where somebody who left is named, in all that can be told of a life at its end."""
    state, found = scene.desk.state, []
    people = sorted(state.former)
    for record in scene.records:
        for stream, _, wire_type in record.entries:
            data = render(record.event, wire_type, stream, lambda content: '"a text"', state.former.get)
            if stream != pseudonyms.AUDIT and tellers(data, people):
                found.append(f"{wire_type} in {stream}: {data}")
    reader = Identity("acme", "moe", Role.MANAGER)
    for stream in ("account", *(f"team:{one}" for one in state.teams), *(f"subportal:{one}" for one in "xyzpqf")):
        parts = pseudonyms.of_value(view(scene.desk, stream, reader), state.former.get)
        if tellers(parts, people):
            found.append(f"{stream}: {parts}")
    decisions = named(decided(scene), state.former.get)
    return found + [f"why: {told}" for told in decisions if tellers(told, people)]


def decided(scene: Scene) -> list[Told]:
    """Every decision of a life, by a replay."""
    replayed, found = desk(), []
    for record in scene.records:
        if is_decision(record.event, cast("str", getattr(record.event, "request", ""))):
            replayed.settle()
            found.append(tell(replayed, record.event, record.t))
        replayed.evolve(record.event, record.t, record.entries)
    return found


@pytest.mark.slow
@given(seed=st.integers(0, 10_000))
@fewer
def test_H11_nothing_that_is_told_afterwards_names_who_left(seed: int) -> None:
    scene = eventful(seed, 60)
    assert len(scene.desk.state.former) >= 4
    assert named_in(scene) == []


@pytest.mark.slow
def test_caught_one_field_that_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudonyms, "NAMED", {**pseudonyms.NAMED, e.OfferMade: ("by",)})
    lives = (named_in(eventful(seed, 100)) for seed in range(20))
    assert any("offer.made" in one for life in lives for one in life)


# --- one by one --------------------------------------------------------------------------------------


def test_the_event_itself_names_who_leaves_while_nobody_else_calls_it_otherwise() -> None:
    event = e.RepresentativeDeleted("ann", "blue", "former-1", "mia")
    assert pseudonyms.left(event) == ("ann", "former-1")
    assert render(event, "representative.deleted", "account", lambda content: None)["representative"] == "ann"
    read = render(event, "representative.deleted", "account", lambda content: None, {"ann": "former-1"}.get)
    assert read == {"representative": "former-1", "team": "blue", "former": "former-1", "by": "mia"}
    assert pseudonyms.left(e.RoundStarted("r")) is None


@pytest.mark.parametrize(
    ("event", "field"),
    [(e.ManagerDeleted("max", "mia", "former-2"), "manager"), (e.ServiceDeleted("crm", "mia"), "service")],
)
def test_managers_and_services_leave_alike(event: e.Event, field: str) -> None:
    told = render(event, f"{field}.deleted", "account", lambda content: None)
    assert told == {field: getattr(event, field), "by": "mia"} | ({"former": "former-2"} if field == "manager" else {})


def test_the_audit_keeps_names_for_it_is_there_to_say_who_did_what() -> None:
    event = e.KeyEnded("k1", "crm", "revoked", "max")
    former = {"crm": "former-1", "max": "former-2"}.get
    kept = render(event, "key.changed", "audit", lambda content: None, former)
    told = render(event, "key.changed", "account", lambda content: None, former)
    assert (kept["person"], kept["by"]) == ("crm", "max")
    assert (told["person"], told["by"]) == ("former-1", "former-2")


def test_several_people_in_one_field_and_what_the_broker_did_by_itself() -> None:
    event = e.TeamDeleted("red", "blue", ("ann", "bo"), "broker")
    former = {"ann": "former-1", "broker": "former-2"}.get
    now = pseudonyms.of_event(event, former)
    assert now == e.TeamDeleted("red", "blue", ("former-1", "bo"), "broker")
    assert event.representatives == ("ann", "bo")  # the record's own is as it was
    assert pseudonyms.of_event(event, lambda name: None) is event


def test_a_decision_names_nobody_in_its_ranks_and_reasons_either() -> None:
    scene = office("ann", "bo", capacity=1)
    scene.ok(ops.SubportalPut("help", sticky_ms=60_000), manager())
    scene.end(scene.assign("carl", "ann"))
    scene.assign("dora", "ann")
    scene.ok(ops.RequestCreate(None, personal("again")), Identity("acme", "v_carl", Role.CUSTOMER, "help"), "again")
    scene.ask("emil")
    found = decided(scene)
    assert tellers(found, ["ann"])
    assert any("held for ann" in word for word in words(found))
    told = named(found, {"ann": "former-1"}.get)
    assert tellers(told, ["ann"]) == []
    assert any("held for former-1" in word for word in words(told))


def test_a_name_is_given_to_nobody_else_so_it_stands_for_one_person_for_ever() -> None:
    scene = office("ann")
    boss(scene)
    scene.ok(ops.RepresentativeDelete("ann"), manager("mia"))
    scene.refused(ops.ManagerPut("ann", "api"), manager("mia"), Code.BAD_ARGS)
    scene.refused(ops.PresenceSet("away"), representative("ann"), Code.NOT_ALLOWED)


def test_a_block_is_listed_with_the_pseudonym_of_who_made_it_and_left() -> None:
    scene = office("ann")
    boss(scene)
    scene.ok(ops.ManagerPut("max", "account"), manager("mia"))
    scene.ok(ops.VisitorBlock("abuse", scene.ask("carl")), manager("max"))
    scene.ok(ops.ManagerDelete("max"), manager("mia"))
    (listed,) = cast("list[Told]", scene.ok(ops.BlockList(), manager("mia")).value["blocks"])
    assert listed["by"] == scene.desk.state.former["max"]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (e.RepresentativeDeleted("ann", "t", "former-1", "mia"), ("ann", "former-1")),
        (e.ManagerDeleted("max", "mia", "former-2"), ("max", "former-2")),
        (e.ServiceDeleted("crm", "mia", "former-3"), ("crm", "former-3")),
        (e.TeamDeleted("t", None, (), "mia"), None),
    ],
)
def test_who_leaves_with_an_event_is_known_with_its_pseudonym(event: e.Event, expected: tuple[str, str] | None) -> None:
    assert pseudonyms.left(event) == expected
