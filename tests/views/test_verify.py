"""A transcript is verified offline: no single change of it goes unseen, and a verifier that skips a check would."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.identity.signatures import Signatures, check
from broker.views import verify as verifier
from broker.views.chain import START, canonical, link, signed
from broker.views.verify import Unreadable, Verdict, read, verify
from tests.views.changes import HEAD, Change, changes
from tests.views.talk import ABOUT, ENDED, FILE, JOINED, OPENED, SIGNATURES, TALK, Told, document, said

WHOLE: dict[str, Any] = json.loads(document("json"))


def found(value: object) -> Verdict | str:
    """What the verifier says of a document with this content."""
    text = value if isinstance(value, str) else json.dumps(value)
    try:
        return verify(read(text), check)
    except Unreadable as error:
        return str(error)


def missed(made: Change) -> str | None:
    """What the verifier didn't see or named wrongly; None: all is told as it has to be."""
    verdict = found(made.document)
    if isinstance(verdict, str):
        return None if made.entry == HEAD else f"{made.what}: unreadable: {verdict}"
    fault = verdict.fault
    if fault is None:
        return f"{made.what}: not seen"
    if made.entry not in (HEAD, fault.entry):
        return f"{made.what}: {fault} instead of entry {made.entry}"
    if made.entry != HEAD and made.kind not in fault.what:
        return f"{made.what}: {fault.what}, which doesn't say {made.kind}"
    return None


def test_a_transcript_as_it_was_made_holds() -> None:
    verdict = found(document("json"))
    assert isinstance(verdict, Verdict)
    assert verdict.fault is None
    assert verdict.key == SIGNATURES.public
    assert verdict.head == WHOLE["head"]
    assert verdict.head["entries"] == len(TALK)
    assert (verdict.head["account"], verdict.head["reader"]) == (ABOUT.account, "customer")


def test_an_empty_one_holds_too() -> None:
    verdict = found(document("json", ()))
    assert isinstance(verdict, Verdict)
    assert verdict.fault is None
    assert verdict.head["hash"] == START.hex()


def test_every_single_change_is_seen_and_named() -> None:
    made = list(changes(WHOLE))
    assert len(made) > 700
    assert [what for one in made if (what := missed(one)) is not None] == []


@pytest.mark.parametrize("skipped", [one.__name__ for one in verifier.CHECKS])
def test_a_verifier_that_skips_a_check_is_caught(skipped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = tuple(one for one in verifier.CHECKS if one.__name__ != skipped)
    monkeypatch.setattr(verifier, "CHECKS", rest)
    assert any(_tried(one) is not None for one in changes(WHOLE)), f"no change needs {skipped}"


def _tried(made: Change) -> str | None:
    """A check that rests on one that was skipped may also stumble."""
    try:
        return missed(made)
    except (KeyError, TypeError, IndexError) as error:
        return f"{made.what}: {error!r}"


def test_a_verifier_that_takes_any_signature_is_caught() -> None:
    other = Signatures(bytes(32))
    for made in (
        {**WHOLE, "key": other.public},
        {**WHOLE, "signature": other.sign(signed(WHOLE["head"]))},
        {**WHOLE, "signature": SIGNATURES.sign(canonical(WHOLE["head"]))},
    ):
        verdict = found(made)
        assert isinstance(verdict, Verdict)
        assert verdict.fault is not None
        assert verify(read(json.dumps(made)), lambda key, signature, data: True).fault is None


def test_whoever_makes_all_hashes_anew_needs_the_key() -> None:
    forged = json.loads(json.dumps(WHOLE))
    forged["entries"][1]["text"] = "I never said that"
    before = START
    for entry in forged["entries"]:
        before = link(before, entry)
        entry["hash"] = before.hex()
    verdict = found(forged)
    assert isinstance(verdict, Verdict)
    assert verdict.fault is not None
    assert "head's hash" in verdict.fault.what
    forged["head"]["hash"] = before.hex()
    verdict = found(forged)
    assert isinstance(verdict, Verdict)
    assert verdict.fault is not None
    assert "signature" in verdict.fault.what
    other = Signatures(bytes(32))
    forged["key"], forged["signature"] = other.public, other.sign(signed(forged["head"]))
    verdict = found(forged)
    assert isinstance(verdict, Verdict)
    assert verdict.fault is None, "it hangs together: only the key tells that it isn't the broker's"
    assert verdict.key != SIGNATURES.public


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TOLD: st.SearchStrategy[Told] = (
    st.tuples(st.integers(1, 9), TEXT | st.just({"erased": True}), st.none() | st.sampled_from(["ann", "bo"])).map(
        lambda one: said(*one)
    )
    | st.sampled_from([OPENED, JOINED, FILE, ENDED])
    | TEXT.map(lambda name: ("session.joined", {"representative": "cy", "name": name, "role": "guest"}))
    | st.dictionaries(TEXT, TEXT | st.booleans() | st.integers(0, 9), max_size=3).map(
        lambda fields: ("session.opened", {"fields": fields})
    )
)


@given(st.lists(TOLD, max_size=6), st.data())
def test_any_conversation_holds_and_no_change_of_it_does(talk: Sequence[Told], data: st.DataObject) -> None:
    text = document("json", talk)
    verdict = found(text)
    assert isinstance(verdict, Verdict)
    assert verdict.fault is None
    assert missed(data.draw(st.sampled_from(list(changes(json.loads(text)))))) is None


@given(st.data())
def test_a_changed_character_is_seen_or_changes_nothing_that_is_said(data: st.DataObject) -> None:
    text = document("json")
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.sampled_from(["", " ", "0", "x", '"', "\\", "}", "\n"])) + text[place + 1 :]
    verdict = found(changed)
    if isinstance(verdict, Verdict) and verdict.fault is None:
        assert repr(json.loads(changed)) == repr(WHOLE)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ("[]", "no transcript"),
        ("{}", "no transcript"),
        ('{"huntgroup_transcript": 2}', "format isn't 1"),
        ('{"huntgroup_transcript": 1}', "expected huntgroup_transcript, entries"),
        (document("json").replace('"entries": [', '"entries": [7,'), "entry 1 is no object"),
        (document("json").replace('"text": "Hello?"', '"text": "Bye", "text": "Hello?"'), "'text' is there twice"),
        (document("json").replace('"n": 2', '"n": NaN'), "NaN is no JSON"),
        ("[" * 100_000, "no JSON"),
        (json.dumps({**WHOLE, "head": []}), "head: expected an object"),
        (json.dumps({**WHOLE, "entries": {}}), "entries: expected list"),
        (json.dumps({**WHOLE, "key": 1}), "key: expected str"),
    ],
)
def test_what_is_no_transcript_is_told_so(text: str, why: str) -> None:
    said = found(text)
    assert isinstance(said, str)
    assert why in said


@pytest.mark.parametrize("value", ["\ud800", 1e400])
def test_what_no_transcript_can_hold_is_an_altered_entry(value: object) -> None:
    made = json.loads(json.dumps(WHOLE))
    made["entries"][1]["text"] = value
    verdict = found(json.dumps(made).replace("Infinity", "1e400"))
    assert isinstance(verdict, Verdict)
    assert verdict.fault is not None
    assert verdict.fault.entry == 2
    made = json.loads(json.dumps(WHOLE))
    made["head"]["portal"] = "\ud800"
    verdict = found(made)
    assert isinstance(verdict, Verdict)
    assert verdict.fault is not None
    assert verdict.fault.entry is None
