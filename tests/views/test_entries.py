"""What of a session's stream is in its transcript, and what isn't."""

from __future__ import annotations

from typing import Any

import pytest

from broker.protocol import schema
from broker.views.entries import KINDS, MOST_NAMES, People, entry_of
from tests.views.talk import ENDED, FILE, JOINED, OPENED, TALK, entries, said


def told(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry without what every one has."""
    return {name: value for name, value in entry.items() if name not in ("n", "t", "hash")}


def test_a_conversation_is_told_with_who_was_called_what() -> None:
    assert [told(one) for one in entries(*TALK)] == [
        {"kind": "opened", "role": "customer", "name": "Kim", "text": "Where is my order?"},
        {"kind": "message", "role": "customer", "name": "Kim", "message_seq": 1, "text": "Hello?"},
        {"kind": "joined", "role": "lead", "by": "ann", "name": "Ann"},
        {
            "kind": "message",
            "role": "representative",
            "by": "ann",
            "name": "Ann",
            "message_seq": 2,
            "text": "Let me look.",
        },
        {
            "kind": "file",
            "role": "customer",
            "name": "Kim",
            "message_seq": 3,
            "file": {
                "file": "f_1",
                "name": "bill.pdf",
                "size": 1536,
                "type": "application/pdf",
                "sha256": "ab" * 32,
            },
        },
        {"kind": "share", "role": "representative", "share": "h_1", "state": "requested"},
        {"kind": "held", "role": "customer", "name": "Kim"},
        {"kind": "resumed", "role": "customer", "name": "Kim"},
        {"kind": "transferred", "role": "lead", "by": "bo", "name": "Bo", "former": "ann"},
        {
            "kind": "message",
            "role": "representative",
            "by": "bo",
            "name": "Bo",
            "message_seq": 4,
            "text": "It is on its way.\nTomorrow.",
        },
        {"kind": "ended", "reason": "customer"},
    ]
    assert [(one["n"], one["t"]) for one in entries(OPENED, ENDED)] == [(1, 1_700_000_000_123), (2, 1_700_000_001_123)]


def test_whoever_has_not_been_introduced_is_told_by_id() -> None:
    (one,) = entries(said(1, "Hi", "cy"))
    assert told(one) == {"kind": "message", "role": "representative", "by": "cy", "message_seq": 1, "text": "Hi"}


def test_a_representative_that_was_there_at_the_start_is_told_by_name() -> None:
    opened = ("session.opened", {"session": "s_1", "representative": "ann", "representative_name": "Ann"})
    assert entries(opened, said(1, "Hi", "ann"))[1]["name"] == "Ann"


def test_a_web_chats_question_is_its_first_message_and_told_once() -> None:
    opened = ("session.opened", {"session": "s_1", "name": "Kim", "text": "Why?", "web_chat": "chat_only"})
    assert [one.get("text") for one in entries(opened, said(1, "Why?"))] == [None, "Why?"]


def test_a_question_that_was_left_is_its_customers_who_may_say_another_name_with_it() -> None:
    left = {"session": "s_1", "request": "r_1", "name": "Kim K", "text": "Does it hum?", "fields": {"a": 1}}
    _, first, second = entries(OPENED, ("question.left", left), said(2, "Bye"))
    assert told(first) == {
        "kind": "question",
        "role": "customer",
        "name": "Kim K",
        "text": "Does it hum?",
        "fields": {"a": 1},
    }
    assert second["name"] == "Kim K"


def test_what_is_no_part_of_a_conversation_or_unknown_makes_no_entry() -> None:
    assert entries(("offer.made", {}), ("note.of_a_later_release", {"text": "secret"}), said(1, "x"))[0]["n"] == 1


def test_fields_that_a_later_release_adds_stay_out_of_it() -> None:
    (one,) = entries(("session.joined", {**JOINED[1], "address": "192.0.2.1"}))
    assert "address" not in one


def test_what_was_erased_is_told_as_erased() -> None:
    gone = {"erased": True}
    found = entries(("session.opened", {"name": gone, "text": gone, "fields": gone}), said(1, gone))
    assert told(found[0]) == {"kind": "opened", "role": "customer", "name": gone, "text": gone, "fields": gone}
    assert (found[1]["name"], found[1]["text"]) == (gone, gone)
    (file,) = entries((FILE[0], {**FILE[1], "name": gone}))
    assert file["file"]["name"] == gone


def test_numbers_with_fractions_are_told_as_text() -> None:
    fields = {"pieces": 1.5, "sizes": (1, 2.0), "more": {"x": 0.1}, "sure": True}
    (one,) = entries(("session.opened", {"fields": fields}))
    assert one["fields"] == {"pieces": "1.5", "sizes": [1, "2.0"], "more": {"x": "0.1"}, "sure": True}


def test_only_so_many_names_are_kept_in_mind() -> None:
    people = People()
    for number in range(MOST_NAMES + 1):
        people.meet(f"p{number}", f"P {number}")
    people.meet("p1", "P 1 again")
    assert list(people.names) == [*(f"p{number}" for number in range(2, MOST_NAMES + 1)), "p1"]
    assert people.name("guest", "p0") is None
    assert people.name("guest", "p1") == "P 1 again"


@pytest.mark.parametrize("wire_type", sorted(KINDS))
def test_every_wire_type_makes_an_entry_even_of_an_empty_body(wire_type: str) -> None:
    found = entry_of(wire_type, {}, People())
    assert found is not None
    assert found["kind"] == KINDS[wire_type].kind


def test_the_wire_types_are_those_of_a_sessions_streams() -> None:
    events = schema.load()["events"]
    assert isinstance(events, dict)
    known = {name for name, event in events.items() if "session" in event["streams"]}
    assert known <= KINDS.keys(), "say how it is told, or in UNTOLD that it isn't"
