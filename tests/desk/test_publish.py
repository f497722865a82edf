"""Publishing: each event's places and bodies fit the schema, and no text goes where it may not."""

from __future__ import annotations

import json
from types import UnionType
from typing import cast, get_args, get_origin, get_type_hints

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.content import Ref
from broker.desk import events as e
from broker.desk.bodies import BODIES
from broker.desk.publish import _AUDIENCES, audiences, render, resolve
from broker.protocol import check, schema
from broker.protocol.check import BadArgs
from tests.support.builders import stream_kind

SECRET = "a text that nobody else may read"
slug = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
WORDS: dict[tuple[str, str], list[str]] = {
    ("PresenceChanged", "presence"): ["available", "away", "offline"],
    ("SubportalState", "state"): ["open", "closing", "closed"],
    ("PresenceChanged", "by"): ["representative", "broker"],
    ("RepresentativeBack", "presence"): ["available", "away"],
    ("SessionDescribed", "kind"): ["device", "diagnostics"],
    ("OfferMade", "kind"): ["queue", "direct", "broadcast", "transfer", "invite"],
    ("OfferEnded", "reason"): ["declined", "expired", "revoked", "gone", "rescinded"],
    ("RequestUnplaced", "reason"): ["declined", "expired", "gone"],
    ("RequestRequeued", "reason"): ["handed_back", "representative_lost", "signed_out"],
    ("RequestEnded", "state"): ["closed", "withdrawn", "abandoned", "converted", "refused"],
    ("RequestReleased", "reason"): ["time", "gone"],
    ("RequestMoved", "rule"): ["wait", "length", "staffing"],
    ("WrapUpEnded", "reason"): ["done", "expired", "signed_out"],
    ("RequestAssigned", "kind"): ["queue", "direct", "broadcast", "pin", "taken", "given"],
    ("SessionEnded", "reason"): ["customer", "representative", "abandoned", "handed_back", "signed_out", "blocked"],
    ("SessionReleased", "reason"): ["handed_back", "representative_lost", "signed_out"],
    ("MemberLeft", "reason"): ["left", "removed", "released", "ended", "transferred", "signed_out"],
    ("MonitorEnded", "reason"): ["left", "ended", "released", "connection_lost", "restarted", "policy", "scope"],
    ("PortalPut", "monitoring"): ["off", "announced", "silent"],
    ("ChatSent", "role"): ["customer", "representative"],
    ("RequestCreated", "web_chat"): ["none", "chat_only", "upgradable"],
    ("BlockEnded", "reason"): ["ended", "expired"],
    ("CaseChanged", "reason"): ["taken", "given", "resolved", "reopened", "returned", "left"],
    ("CaseDeleted", "reason"): ["deleted", "retention", "full"],
    ("CaseMailAttempted", "state"): ["sent", "deferred", "failed"],
    ("PinEnded", "state"): ["expired", "revoked"],
    ("ShareEnded", "state"): ["refused", "ended"],
    ("ShareEnded", "by"): ["customer", "representative", "broker"],
    ("ShareStarted", "by"): ["customer", "representative"],
    ("ShareControlAsked", "state"): ["negotiating", "active"],
    ("ShareControlled", "state"): ["negotiating", "active", "rebooting"],
    ("ShareControlled", "by"): ["customer", "broker"],
    ("ShareGrantChanged", "state"): ["negotiating", "active", "rebooting"],
}
SCHEMA = cast("dict[str, dict[str, list[str]]]", schema.load()["events"])
DOCUMENTS = ("fields", "labels", "survey_labels", "texts")
"""What events refer to that is a map or a list."""
KINDS = ["pick", "ask", "button", "pin", "global_pin"]


REASONS = ["assigned", "requeued", "closed", "withdrawn", "left"]
NOW: st.SearchStrategy[object] = st.tuples(
    st.sampled_from(["live_chat", "support_request"]),
    st.sampled_from(["unassigned", "assigned", "resolved"]),
    st.sampled_from(REASONS),
    st.integers(1, 9),
    st.integers(1, 9),
    slug,
    st.sampled_from(["waiting", "chat", "request"]),
    st.integers(0, 10**9),
    st.none() | st.integers(1, 10**15),
    st.none() | st.integers(1, 10**15),
)
"""What an event makes of a case."""


def events_of(cls: type[e.Event]) -> st.SearchStrategy[e.Event]:
    """Any event of a class, its words as the desk uses them."""
    hints = get_type_hints(cls)
    fields: dict[str, st.SearchStrategy[object]] = {}
    for field in attrs.fields(cls):
        words = WORDS.get((cls.__name__, field.name))
        if words is not None:
            fields[field.name] = st.sampled_from(words)
        elif field.name == "case":
            fields[field.name] = st.none() | NOW
        elif field.name in ("code", "listed") and cls is not e.OfferEnded and hints[field.name] is int:
            fields[field.name] = st.integers(1, 999)
        elif field.name in DOCUMENTS:
            fields[field.name] = st.none() | st.just(("d_secret", b"d" * 16))
        elif field.name == "data":
            fields[field.name] = st.just(("d_secret", b"d" * 16))
        elif field.name == "score":
            fields[field.name] = st.integers(1, 5)
        elif field.name in ("kind", "mode"):
            fields[field.name] = st.sampled_from(KINDS if field.name == "kind" else ["web", "phone", "queue"])
        else:
            fields[field.name] = _of_type(hints[field.name])
    return st.fixed_dictionaries(fields).map(lambda values: _coherent(cls(**values)))  # type: ignore[arg-type]


def _of_type(hint: object) -> st.SearchStrategy[object]:
    if hint is object:  # data as an operation has it
        return st.none()
    if get_origin(hint) is tuple and hint != Ref:
        inner = get_args(hint)
        if inner[-1] is not Ellipsis:
            return st.tuples(*map(_of_type, inner))
        if inner[0] is not str:
            return st.lists(_of_type(inner[0]), max_size=2).map(tuple)
    if get_origin(hint) is UnionType and get_origin(get_args(hint)[0]) is tuple and get_args(hint)[0] != Ref:
        return st.none() | _of_type(get_args(hint)[0])
    known: list[tuple[object, st.SearchStrategy[object]]] = [
        (str, slug),
        (int, st.integers(1, 10**15)),
        (bool, st.booleans()),
        (bytes, st.binary(max_size=32)),
        (Ref, st.just(("c_secret", b"d" * 16))),
        (tuple[str, ...], st.lists(slug, min_size=1, max_size=3).map(tuple)),
    ]
    for kind, strategy in known:
        if hint == kind:
            return strategy
        if hint == kind | None:  # type: ignore[operator]
            return st.none() | strategy
    raise AssertionError(f"no strategy for {hint}")


def _coherent(event: e.Event) -> e.Event:
    """What goes together does: a pin's assignment has no offer, any other has one; who is given a case has it."""
    if isinstance(event, e.CaseChanged) and event.reason in ("taken", "given"):
        event.representative = event.representative or "ann"
    if isinstance(event, e.RequestAssigned):
        if event.kind in ("taken", "given"):
            event.offer = event.pin = event.pin_expires = None
        elif event.kind == "pin":
            event.offer, event.pin, event.pin_expires = None, event.pin or "p", event.pin_expires or 1
        else:
            event.offer, event.pin, event.pin_expires = event.offer or "o", None, None
    return event


def stored(content: str) -> str:
    """A content, as it is kept."""
    return json.dumps({"order": SECRET}) if content.startswith("d_") else SECRET


few = settings(
    max_examples=settings().max_examples // 8
)  # an event has few fields that matter, and there are many classes


@pytest.mark.parametrize("type_", sorted(e.EVENTS))
@few
@given(data=st.data())
def test_what_each_place_gets_fits_the_schema_and_no_text_reaches_account_or_team(
    type_: str, data: st.DataObject
) -> None:
    event = data.draw(events_of(e.EVENTS[type_]))
    for stream, wire_type in audiences(event):
        body = render(event, wire_type, stream, stored)
        check.check_event(wire_type, as_received(body))
        check.check_event(wire_type, as_received(render(event, wire_type, stream, lambda content: None)))
        allowed = SCHEMA[wire_type]
        assert stream_kind(stream) in allowed["streams"]
        assert set(body) <= set(allowed["data"])
        shown = repr(body)
        assert "_secret" not in shown
        assert "dddd" not in shown
        if stream == "account" or stream.startswith("team:"):
            assert SECRET not in shown


def as_received(body: dict[str, object]) -> dict[str, object]:
    """An array is a list to its receiver, whatever was packed."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in body.items()}


def test_every_event_has_a_place_but_those_that_concern_nobody() -> None:
    silent = set(e.EVENTS.values()) - set(_AUDIENCES)
    nobodys = {e.BrokerStarted, e.OverflowPassed, e.PortalTurned, e.RoundPaused, e.RoundStarted, e.VisitorsForgotten}
    assert silent == nobodys | {e.SignInRefreshed, e.FileBegun}
    assert audiences(e.RoundStarted("r")) == []


def test_there_is_no_body_for_a_type_that_the_schema_does_not_know_or_an_event_without_a_place() -> None:
    assert {wire_type for _, wire_type in BODIES} == set(SCHEMA)
    assert {cls for cls, _ in BODIES} == set(_AUDIENCES)


def nothing(content: str) -> None:
    """Every text is erased."""


def test_a_customers_words_go_to_who_may_take_the_request() -> None:
    ref = ("c_1", b"d" * 16)
    offer = e.OfferMade("o", "r", "help", "queue", "ann", 5, 1, ref, ref, None)
    assert audiences(offer) == [("me:ann", "offer.made"), ("account", "offer.made")]
    assert render(offer, "offer.made", "me:ann", {"c_1": "why?"}.get)["text"] == "why?"
    assert render(offer, "offer.made", "me:ann", nothing)["text"] == {"erased": True}
    offer.representative = None
    assert audiences(offer)[0] == ("subportal:help", "offer.made")


def test_references_are_resolved_however_deep() -> None:
    ref = ("c_1", b"d" * 16)
    value = {"a": [ref, 1], "b": {"c": ref}, "d": ("x", "y"), "e": None}
    assert resolve(value, {"c_1": "why?"}.get) == {
        "a": ["why?", 1],
        "b": {"c": "why?"},
        "d": ["x", "y"],
        "e": None,
    }
    assert resolve(ref, nothing) == {"erased": True}


def test_the_check_would_notice_a_wrong_body() -> None:
    with pytest.raises(BadArgs):
        check.check_event("request.ended", {"request": "r"})
