"""What a desk remembers of what is over, and for how long."""

from __future__ import annotations

import pytest

from broker import limits
from broker.codes import Code
from broker.desk.commands import Gathered
from broker.protocol import ops
from tests.support.builders import case_id, customer, offer_id, representative, request_id, session_id
from tests.support.people import MIA
from tests.support.scene import office

Patch = pytest.MonkeyPatch


def test_ended_offers_and_sessions_are_remembered_within_bounds(monkeypatch: Patch) -> None:
    monkeypatch.setattr(limits, "RECENT_OFFERS", 2)
    monkeypatch.setattr(limits, "RECENT_SESSIONS", 2)
    scene = office("ann")
    for name in ("one", "two", "three"):
        scene.end(scene.assign(name, "ann"))
    scene.refused(ops.OfferAccept(offer_id("one")), representative("ann"), Code.NO_SUCH)
    scene.refused(ops.OfferAccept(offer_id("two")), representative("ann"), Code.OFFER_GONE)
    heads = [scene.desk.stream_head(f"session:{session_id(name)}") for name in ("one", "two", "three")]
    assert heads == [2, 2, 2]  # an e-mail may still be told in the first one's
    scene.ok(ops.CaseDelete(case_id("one")), MIA, prepared=Gathered((2, 0)))
    scene.ok(ops.CaseDelete(case_id("two")), MIA, prepared=Gathered((2, 0)))
    heads = [scene.desk.stream_head(f"session:{session_id(name)}") for name in ("one", "two", "three")]
    assert heads == [0, 2, 2]  # the second one's is read to its end
    assert not scene.desk.may_read(customer("one"), f"session:{session_id('one')}")


def test_the_stream_of_a_session_that_goes_on_is_never_forgotten(monkeypatch: Patch) -> None:
    monkeypatch.setattr(limits, "RECENT_SESSIONS", 1)
    scene = office("ann", capacity=3)
    session = scene.assign("goes-on", "ann")
    scene.ok(ops.SessionLeave(session), representative("ann"))
    scene.end(scene.assign("other", "ann"))
    scene.end(scene.assign("third", "ann"))
    assert scene.desk.stream_head(f"session:{session}") == 2  # waiting, and not among the recent ones
    scene.ok(ops.RequestWithdraw(request_id("goes-on")), customer("goes-on"))
    assert scene.desk.stream_head(f"session:{session}") == 3  # its end can be read
    scene.end(scene.assign("fourth", "ann"))
    assert scene.desk.stream_head(f"session:{session}") == 3  # its case is kept
    scene.ok(ops.CaseDelete(case_id("goes-on")), MIA, prepared=Gathered((3, 0)))
    assert scene.desk.stream_head(f"session:{session}") == 0
