"""How a client's line ends: goodbyes that are final, those that are not, and coming back as oneself."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from broker.codes import Close
from broker.protocol.frames import Goodbye, Ping
from broker.protocol.ops import MetaSchema, PinCreate
from clients.python import errors
from clients.python.client import open_client
from clients.python.settings import Auth, Connected, Disconnected
from tests.clients.python.fake_broker import FakeBroker, farewell
from tests.clients.python.world import TOKEN, URL, connected, settings


async def test_pings_are_answered(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with connected(broker):
        await broker.peers[0].send(Ping(5, 1))
        await trio.testing.wait_all_tasks_blocked()
        assert broker.pongs == 1


async def test_a_quiet_broker_is_pinged_and_kept(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with connected(broker) as client:
        await trio.sleep(60)
        assert client.connected
    assert broker.dials == 1


async def test_a_broker_that_answers_nothing_is_left_and_dialled_again(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    changes: list[Connected | Disconnected] = []
    async with connected(broker, on_change=changes.append) as client:
        broker.mute = True
        await trio.sleep(9.9)
        assert client.connected
        broker.mute = False
        broker.peers[0].machine.state = broker.peers[0].machine.state  # the old one stays mute: it was cut
        await trio.sleep(5)
        assert client.connected
    assert isinstance(changes[0], Connected)


# --- goodbyes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [code for code in Close if not code.come_back])
async def test_a_final_goodbye_to_hello_is_raised(autojump_clock: MockClock, broker: FakeBroker, code: Close) -> None:
    broker.refuse = [farewell(code, "no")]
    with pytest.raises(errors.ENDS[code], match="no"):
        async with connected(broker):
            pass


@pytest.mark.parametrize("code", [code for code in Close if code.come_back and code is not Close.TOKEN_EXPIRED])
async def test_a_goodbye_that_is_not_final_is_followed_by_coming_back(
    autojump_clock: MockClock, broker: FakeBroker, code: Close
) -> None:
    broker.refuse = [farewell(code, retry_ms=3000), None]
    before = trio.current_time()
    async with connected(broker) as client:
        assert client.connected
        assert trio.current_time() - before >= 3
    assert broker.dials == 2


async def test_a_final_goodbye_later_ends_every_call(autojump_clock: MockClock, broker: FakeBroker) -> None:
    broker.handler = lambda peer, request: []
    caught: list[errors.Ended] = []
    async with connected(broker) as client:

        async def ask() -> None:
            with pytest.raises(errors.Kicked) as info:
                await client.request(PinCreate())
            caught.append(info.value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            await broker.peers[0].end(farewell(Close.KICKED, "out"))
        with pytest.raises(errors.Kicked):
            await client.request(PinCreate())
    assert len(caught) == 2


async def test_an_expired_token_ends_it_and_a_fresh_one_goes_on(autojump_clock: MockClock, broker: FakeBroker) -> None:
    broker.refuse = [farewell(Close.TOKEN_EXPIRED)]
    with pytest.raises(errors.TokenExpired):
        async with connected(broker):
            pass
    tokens = iter(["old", "fresh"])

    async def fresh() -> Auth:
        return Auth(token=next(tokens))

    broker.refuse = [farewell(Close.TOKEN_EXPIRED), None]
    async with open_client(URL, fresh, settings=settings(broker)):
        pass
    assert [auth["token"] for auth in broker.auths] == ["t", "old", "fresh"]


async def test_go_to_another_place_is_followed_but_never_without_tls(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    places: list[str] = []

    async def dial(address: Any) -> trio.abc.Stream:
        places.append(str(address))
        return await broker.dial(address)

    made = attrs.evolve(settings(broker), dial=dial)
    broker.refuse = [farewell(Close.SHUTDOWN, url="https://other"), None]
    async with open_client("https://one", TOKEN, settings=made):
        pass
    assert places == ["https://one", "https://other"]
    broker.refuse = [farewell(Close.SHUTDOWN, url="http://other"), None]
    with pytest.raises(errors.ProtocolBroken):
        async with open_client("https://one", TOKEN, settings=made):
            pass


async def test_a_broker_that_is_not_there_is_said_at_once_unless_one_is_patient(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    broker.refuse = [OSError("refused")]
    with pytest.raises(errors.UnreachableError):
        async with connected(broker):
            pass
    broker.refuse = [OSError("refused"), OSError("refused"), None]
    async with connected(broker, patient=True) as client:
        assert client.connected


async def test_a_customer_comes_back_with_its_visitor_token(autojump_clock: MockClock, broker: FakeBroker) -> None:
    broker.role, broker.visitor, broker.person = "customer", "v-token", "v_1"
    async with connected(broker, Auth(portal="acme/help")) as client:
        await client.cut()
        await client.request(MetaSchema())
        assert client.identity.visitor == "v-token"
    assert broker.auths == [{"portal": "acme/help"}, {"portal": "acme/help", "visitor": "v-token"}]


async def test_coming_back_as_somebody_else_is_the_end(autojump_clock: MockClock, broker: FakeBroker) -> None:
    broker.role, broker.person = "customer", "v_1"
    async with connected(broker, Auth(portal="acme/help")) as client:
        broker.person = "v_2"
        await client.cut()
        with pytest.raises(errors.TokenExpired):
            await client.request(MetaSchema())


async def test_a_goodbye_says_when_to_come_back_and_it_is_told(autojump_clock: MockClock, broker: FakeBroker) -> None:
    changes: list[Connected | Disconnected] = []
    async with connected(broker, on_change=changes.append) as client:
        await broker.peers[0].end(Goodbye(4000, "restarting", 1, 2000))
        await client.request(MetaSchema())
    first, lost, back = changes
    assert first == Connected(again=False)
    assert isinstance(lost, Disconnected)
    assert (lost.code, lost.text) == (4000, "restarting")
    assert lost.pause_ms >= 2000
    assert back == Connected(again=True)


# --- sign-ins that are made afresh --------------------------------------------------------------------


class Fresh:
    """Makes sign-ins; the next ones raise what is in ``raising``."""

    def __init__(self, *raising: Exception | None) -> None:
        self.raising = list(raising)
        self.at: list[float] = []

    async def __call__(self) -> Auth:
        await trio.lowlevel.checkpoint()
        self.at.append(trio.current_time())
        error = self.raising.pop(0) if self.raising else None
        if error is not None:
            raise error
        return TOKEN


async def test_a_sign_in_that_can_not_be_reached_is_tried_again_with_pauses(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    changes: list[Connected | Disconnected] = []
    fresh = Fresh(None, *(OSError("no route") for _ in range(6)))
    async with open_client(URL, fresh, settings=settings(broker, on_change=changes.append)) as client:
        await client.cut()
        await client.request(MetaSchema())
    assert len(fresh.at) == 8
    assert broker.dials == 2
    lost = [change for change in changes if isinstance(change, Disconnected)]
    assert len(lost) == 7
    assert "no route" in lost[-1].text
    assert fresh.at[-1] - fresh.at[0] == pytest.approx(sum(change.pause_ms for change in lost) / 1000, abs=0.1)
    assert fresh.at[-1] - fresh.at[0] > 2  # it does not spin


async def test_a_sign_in_that_can_not_be_reached_at_first_is_as_a_broker_that_is_not_there(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    with pytest.raises(errors.UnreachableError, match="no route"):
        async with open_client(URL, Fresh(OSError("no route")), settings=settings(broker)):
            pass
    patient = settings(broker, patient=True)
    async with open_client(URL, Fresh(OSError("no route"), OSError("no route")), settings=patient) as client:
        assert client.connected


async def test_what_else_a_sign_in_raises_comes_out_as_it_is(autojump_clock: MockClock, broker: FakeBroker) -> None:
    with pytest.raises(KeyError, match="secret") as info:
        async with open_client(URL, Fresh(KeyError("secret")), settings=settings(broker)):
            pass
    assert "__call__" in [entry.name for entry in info.traceback]  # where it came from is told
    with pytest.raises(errors.Kicked):
        async with open_client(URL, Fresh(errors.Kicked(4507, "stop")), settings=settings(broker)):
            pass
    assert broker.dials == 0


async def test_what_a_later_sign_in_raises_comes_out_of_every_call(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    async with open_client(URL, Fresh(None, KeyError("secret")), settings=settings(broker)) as client:
        events = client.subscribe("me", 0)
        await events.wait_placed()
        await client.cut()
        for _ in range(2):
            with pytest.raises(KeyError, match="secret"):
                await client.request(MetaSchema())
        with pytest.raises(KeyError, match="secret"):
            await events.next()
