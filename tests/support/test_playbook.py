"""The playbook itself: a script that says something wrong, or nothing, fails."""

from __future__ import annotations

import pytest

from broker.codes import Code
from broker.desk import events as e
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.builders import customer, personal, representative
from tests.support.playbook import Playbook, seen
from tests.support.scene import office

ASK = ops.RequestCreate(text=personal("why?"))


def test_a_script_that_was_never_asserted_fails_by_itself() -> None:
    with pytest.raises(AssertionError, match=r"nobody asserted: 0.000"), Playbook(office("ann")) as play:
        play.at(0).given(ASK, customer("carl"))
    with pytest.raises(AssertionError, match="no step"), Playbook(office("ann")):
        pass
    with pytest.raises(AssertionError, match=r"nobody asserted: 1.000"), Playbook(office("ann")) as play:
        play.at(SECONDS)


def test_a_mismatch_shows_the_whole_exchange() -> None:
    play = Playbook(office("ann"))
    play.at(0).given(ASK, customer("carl")).expect(seen(e.RequestCreated), seen(e.OfferMade))
    step = play.at(20 * SECONDS)
    with pytest.raises(AssertionError) as caught:
        step.expect(seen(e.OfferEnded, reason="declined"))
    shown = str(caught.value)
    for part in ("v_carl: RequestCreate", "-> OfferMade", "20.000", "happened:", "'expired'", "reason='declined'"):
        assert part in shown


def test_an_event_too_many_or_too_few_is_a_mismatch() -> None:
    with pytest.raises(AssertionError), Playbook(office("ann")) as play:
        play.at(0).given(ASK, customer("carl")).expect(seen(e.RequestCreated))
    with pytest.raises(AssertionError), Playbook(office()) as play:
        play.at(0).given(ASK, customer("carl")).expect(seen(e.RequestCreated), seen(e.OfferMade))
    with pytest.raises(AssertionError), Playbook(office()) as play:
        play.at(0).given(ASK, customer("carl")).expect()


def test_refusals_and_results_are_compared() -> None:
    with Playbook(office("ann")) as play:
        step = play.at(0).given(ops.OfferAccept("o_none.1"), representative("ann"))
        step.refused(Code.NO_SUCH)
        with pytest.raises(AssertionError, match="2405 with"):
            step.refused(Code.OFFER_GONE)
        with pytest.raises(AssertionError, match="reason"):
            step.refused(Code.NO_SUCH, reason="taken")
        with pytest.raises(AssertionError, match="carried out"):
            step.expect()
        step = play.at(0).given(ASK, customer("carl"))
        with pytest.raises(AssertionError, match="a refusal"):
            step.refused(Code.NO_SUCH)
        with pytest.raises(AssertionError, match="a RESULT"):
            step.expect(seen(e.RequestCreated), seen(e.OfferMade), state="waiting")
        step.expect(seen(e.RequestCreated), seen(e.OfferMade), state="offered")
        with pytest.raises(AssertionError, match="a RESULT"):
            play.at(1).expect(state="offered")
        play.steps.pop()


def test_an_error_inside_is_not_hidden() -> None:
    def script() -> None:
        with Playbook(office("ann")) as play:
            play.at(0).given(ASK, customer("carl"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        script()


def test_a_pattern_names_fields_that_exist() -> None:
    with pytest.raises(TypeError, match="OfferMade has no colour"):
        seen(e.OfferMade, colour="red")
