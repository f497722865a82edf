"""``request.why``: decisions found in the journal by a replay, on the wire."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from broker.codes import Code
from broker.runtime import why
from tests.runtime.harness import Broker, Refused, broker


async def _served(b: Broker) -> str:
    """A request that ann declined and bob took."""
    staff = {name: await b.staff(name) for name in ("ann", "bob")}
    for client in staff.values():
        await client.ask("subscribe", stream="me", from_="now")
        await client.write("presence.set", presence="available")
    joe = await b.customer()
    request = str((await joe.write("request.create", text="x"))["request"])
    offer = (await staff["ann"].event("offer.made")).data["offer"]
    await staff["ann"].write("offer.decline", offer=offer, reason="busy")
    offer = (await staff["bob"].event("offer.made")).data["offer"]
    taken = await staff["bob"].write("offer.accept", offer=offer)
    await staff["bob"].write("session.end", session=taken["session"])
    return request


@pytest.mark.parametrize("slice_", [1, why.SLICE])
async def test_a_manager_is_told_how_each_offer_came_about(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, slice_: int
) -> None:
    monkeypatch.setattr(why, "SLICE", slice_)
    async with broker() as b:
        request = await _served(b)
        boss = await b.staff("boss", "manager")
        found = (await boss.ask("request.why", request=request))["decisions"]
        assert isinstance(found, list | tuple)
        assert [(one["decision"], one["representative"]) for one in found] == [
            ("offer.made", "ann"),
            ("offer.made", "bob"),
        ]
        assert found[1]["candidates"][1] == {"representative": "ann", "out": "refused it in this round"}
        assert all(one["agrees"] for one in found)
        for name in ("r_nobody", "x", ""):
            with pytest.raises(Refused) as refused:
                await boss.ask("request.why", request=name)
            assert refused.value.code == (Code.NO_SUCH if name else Code.BAD_ARGS)


async def test_it_is_answered_one_after_the_other_and_to_managers_and_services_alone(autojump_clock: MockClock) -> None:
    async with broker() as b:
        request = await _served(b)
        boss, crm, ann = await b.staff("boss", "manager"), await b.staff("crm", "service"), await b.staff("ann")
        asked = [boss.ask_nowait("request.why", None, request=request) for _ in range(3)]
        answers = [(await boss.answer(number)).value for number in asked]
        assert answers[0] == answers[1] == answers[2] == await crm.ask("request.why", request=request)
        with pytest.raises(Refused) as refused:
            await ann.ask("request.why", request=request)
        assert refused.value.code == Code.NOT_ALLOWED


async def test_a_request_from_before_the_snapshot_is_found_too(autojump_clock: MockClock) -> None:
    async with broker() as b:
        request = await _served(b)
        b.journal.ask("save", "acme")
        await b.settle()
        assert b.store.load_snapshot("acme") is not None
        boss = await b.staff("boss", "manager")
        assert len((await boss.ask("request.why", request=request))["decisions"]) == 2
        joe = await b.customer(address="192.0.2.9")
        later = str((await joe.write("request.create", text="x"))["request"])
        (told,) = (await boss.ask("request.why", request=later))["decisions"]
        assert told["agrees"] is True
