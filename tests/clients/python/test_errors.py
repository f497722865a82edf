"""One class for each code, and words that help."""

from __future__ import annotations

import pytest

from broker.codes import Close, Code
from broker.protocol.frames import Fail
from clients.python import errors


@pytest.mark.parametrize("code", list(Code))
def test_each_code_of_fail_has_its_error(code: Code) -> None:
    error = errors.refusal(Fail(1, int(code), "why", 250, {"path": "args.text"}), op="offer.accept", key="k")
    assert type(error) is errors.REFUSALS[code]
    assert type(error) is not errors.Refused
    assert (error.code, error.text, error.retry_ms, error.op, error.key) == (code, "why", 250, "offer.accept", "k")
    assert error.repeatable == code.repeatable
    assert type(error).__doc__


@pytest.mark.parametrize("code", [code for code in Close if not code.come_back])
def test_each_final_goodbye_has_its_error(code: Close) -> None:
    error = errors.ended(int(code), "why")
    assert type(error) is errors.ENDS[code]
    assert (error.code, error.text) == (code, "why")


def test_codes_of_a_newer_broker_come_as_the_plain_class_and_keep_their_range() -> None:
    assert type(errors.refusal(Fail(1, 3999, "new"))) is errors.Refused
    assert errors.refusal(Fail(1, 3999, "new")).repeatable
    assert not errors.refusal(Fail(1, 2999, "new")).repeatable
    assert type(errors.ended(4999, "new")) is errors.Ended


def test_errors_offer_what_their_detail_says() -> None:
    gone = errors.refusal(Fail(1, 2405, "gone", None, {"reason": "taken", "representative": "bo", "name": "Bo"}))
    assert isinstance(gone, errors.OfferGone)
    assert (gone.reason, gone.winner) == ("taken", "Bo")
    state = errors.refusal(Fail(1, 2410, "no", None, {"state": "assigned", "allowed": ["session.end"]}))
    assert isinstance(state, errors.WrongState)
    assert (state.state, state.allowed) == ("assigned", ("session.end",))
    bad = errors.refusal(Fail(1, 2400, "no", None, {"path": "args.text"}))
    assert isinstance(bad, errors.BadArgs)
    assert bad.path == "args.text"
    moved = errors.refusal(Fail(1, 3421, "there", None, {"url": "https://b"}))
    assert isinstance(moved, errors.Moved)
    assert moved.url == "https://b"
    bug = errors.refusal(Fail(1, 5500, "oh", None, {"correlation": "c1"}))
    assert isinstance(bug, errors.InternalError)
    assert bug.correlation == "c1"
    assert isinstance(errors.refusal(Fail(1, 2410, "no")), errors.WrongState)
    closed = errors.refusal(Fail(1, 2410, "no", None, {"state": "closed", "allowed": [], "opens": 5}))
    assert isinstance(closed, errors.WrongState)
    assert (closed.opens, state.opens) == (5, None)
    full = errors.refusal(Fail(1, 2429, "full", 10_000, {"subportal": "orders", "max_waiting": 50}))
    assert isinstance(full, errors.QueueFull)
    assert (full.subportal, full.max_waiting) == ("orders", 50)


def test_an_error_says_op_text_and_code() -> None:
    assert str(errors.refusal(Fail(1, 2401, "not you"), op="pin.create")) == "pin.create: not you (2401)"
    assert str(errors.ended(4504, "go")) == "go (4504)"
