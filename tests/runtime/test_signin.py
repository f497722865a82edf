"""From HELLO to WELCOME, and what isn't welcomed."""

# covers: broker/runtime/signin.py
# covers: broker/runtime/own.py
# covers: broker/runtime/options.py

import pytest
import trio
from trio.testing import MockClock

from broker.codes import Close, Code
from broker.limits import VISITOR_MEMORY
from broker.protocol import check, frames
from broker.runtime import signin
from broker.runtime.options import Options
from broker.units import HOURS
from tests.runtime.harness import DAY, KEY, PINS, SIGNER, Client, Ended, Refused, broker

SELDOM = Options(position_period=HOURS, forget_period=DAY)
"""For tests in which days pass."""


async def test_a_representative_is_welcomed_with_what_binds_it(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        assert ann.welcome is not None
        said = ann.welcome
        assert said.identity["account"] == "acme"
        assert (said.identity["person"], said.identity["role"]) == ("ann", "representative")
        assert (said.heartbeat_ms, said.limits["inflight"], said.version) == (4000, 32, 1)
        assert said.server["name"] == "huntgroup"


async def test_a_stuck_journal_does_not_collect_everybody_who_comes_and_goes(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signin, "MOST_QUESTIONS", 3)
    async with broker() as b:
        b.journal.hold()
        comers = [Client(b.transport.connect()) for _ in range(6)]
        for number, comer in enumerate(comers):
            comer.send(frames.Hello([1], [], {"token": b.token("acme", f"m{number}", "manager")}, {}))
        for comer in comers[3:]:
            assert (await comer.ended()).code == Close.BUSY
        assert len(b.hub.asks) == 3
        b.journal.release()
        for comer in comers[:3]:
            await comer.expect(frames.Welcome)


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        ({"token": "nonsense"}, Close.BAD_AUTH),
        ({"token": SIGNER.mint("acme", "nobody", "representative", 2**50)}, Close.BAD_AUTH),
        ({"token": SIGNER.mint("other", "ann", "representative", 2**50)}, Close.BAD_AUTH),
        ({"token": SIGNER.mint("acme", "ann", "representative", 1)}, Close.TOKEN_EXPIRED),
        ({"portal": "acme/nowhere"}, Close.BAD_AUTH),
        ({"portal": "nobody/help"}, Close.BAD_AUTH),
        ({"portal": "acme"}, Close.BAD_AUTH),
        ({"pin": "12345"}, Close.BAD_AUTH),
        ({}, Close.PROTOCOL),
        ({"portal": "acme/help", "pin": "123456789"}, Close.PROTOCOL),
    ],
)
async def test_a_credential_that_opens_nothing_is_told_so(
    autojump_clock: MockClock, auth: dict[str, object], code: Close
) -> None:
    async with broker() as b:
        with pytest.raises(Ended) as end:
            await b.connect(auth)
        assert end.value.code == code
        assert end.value.goodbye is not None
        assert end.value.goodbye.code == code


async def test_a_visitor_gets_a_token_that_brings_it_back(autojump_clock: MockClock) -> None:
    async with broker() as b:
        first = await b.customer()
        assert first.welcome is not None
        identity = first.welcome.identity
        assert str(identity["person"]).startswith("v_")
        assert identity["portal"] == "help"
        again = await b.customer(visitor=str(identity["visitor"]))
        assert again.welcome is not None
        assert again.welcome.identity["person"] == identity["person"]
        assert again.welcome.identity["visitor"] == identity["visitor"]
        stranger = await b.customer()
        assert stranger.welcome is not None
        assert stranger.welcome.identity["person"] != identity["person"]


async def test_a_visitor_token_of_another_account_or_one_that_ran_out_makes_a_new_visitor(
    autojump_clock: MockClock,
) -> None:
    async with broker(SELDOM, accounts=[("acme", 0), ("other", 1)]) as b:
        theirs = await b.customer("other/help")
        assert theirs.welcome is not None
        ours = await b.customer(visitor=str(theirs.welcome.identity["visitor"]))
        assert ours.welcome is not None
        assert ours.welcome.identity["person"] != theirs.welcome.identity["person"]
        ours.peer.close()
        await trio.sleep(VISITOR_MEMORY / 1000 + 1)
        late = await b.customer(visitor=str(ours.welcome.identity["visitor"]))
        assert late.welcome is not None
        assert late.welcome.identity["person"] != ours.welcome.identity["person"]


async def test_a_token_that_ran_out_is_renewed_while_its_visitor_waits(autojump_clock: MockClock) -> None:
    async with broker(SELDOM) as b:
        joe = await b.customer()
        assert joe.welcome is not None
        await joe.write("request.create", text="help")
        assert (await joe.ended()).code == Close.TOKEN_EXPIRED
        again = await b.customer(visitor=str(joe.welcome.identity["visitor"]))
        assert again.welcome is not None
        assert again.welcome.identity["person"] == joe.welcome.identity["person"]
        assert int(str(again.welcome.identity["expires"])) > b.clock.now() + VISITOR_MEMORY - HOURS


async def test_a_customer_comes_by_a_pin_to_the_account_that_made_it(autojump_clock: MockClock) -> None:
    async with broker(accounts=[("acme", 3), ("other", 4)]) as b:
        bob = await b.staff("bob", account="other")
        await bob.write("presence.set", presence="available")
        made = await bob.write("pin.create")
        customer = await b.connect({"pin": f"{made['pin'][:3]} {made['pin'][3:6]}-{made['pin'][6:]}"})
        assert customer.welcome is not None
        assert customer.welcome.identity["account"] == "other"
        met = await customer.write("pin.redeem", pin=made["pin"])
        assert (met["representative"], met["name"]) == ("bob", "Ms bob")


async def test_a_pin_of_nobodys_block_fails_like_any_wrong_one(autojump_clock: MockClock) -> None:
    async with broker() as b:
        nobodys = PINS.pin(999, 5)
        customer = await b.connect({"pin": nobodys})
        with pytest.raises(Refused) as wrong:
            await customer.write("pin.redeem", pin=nobodys)
        assert wrong.value.code == Code.PIN_INVALID


async def test_pages_of_foreign_origins_are_turned_away(autojump_clock: MockClock) -> None:
    options = Options(allowed_origins=frozenset({"https://help.example.org"}))
    async with broker(options) as b:
        await b.customer(origin="https://help.example.org")
        await b.customer()  # no browser, no origin
        with pytest.raises(Ended) as end:
            await b.customer(origin="https://evil.example.org")
        assert end.value.code == Close.ORIGIN


async def test_A13_a_portals_origins_go_before_the_installations_for_its_customers(autojump_clock: MockClock) -> None:
    own, site, other = "https://broker.example.org", "https://shop.example.org", "https://help.example.org"
    options = Options(allowed_origins=frozenset({own, other}), own_origins=frozenset({own}))
    async with broker(options) as b:
        boss = await b.staff("boss", "manager")
        await boss.write(
            "portal.put", portal="help", kind="button", mode="queue", subportals=["help-1"], origins=[site]
        )
        for origin in (own, site, None):
            await b.customer("acme/help", origin=origin)
        with pytest.raises(Ended) as end:
            await b.customer("acme/help", origin=other)
        assert end.value.code == Close.ORIGIN
        await b.customer("acme/ask", origin=other)
        with pytest.raises(Ended) as end:
            await b.customer("acme/ask", origin=site)
        assert end.value.code == Close.ORIGIN


async def test_hello_must_come_in_time_and_only_once(autojump_clock: MockClock) -> None:
    async with broker() as b:
        silent = Client(b.transport.connect())
        began = b.clock.now()
        assert (await silent.ended()).code == Close.DEAD
        assert 5000 <= b.clock.now() - began <= 5100
        twice = await b.staff("ann")
        twice.send(frames.Hello([1], [], {"token": b.token("acme", "ann", "representative")}, {}))
        assert (await twice.ended()).code == Close.PROTOCOL


async def test_a_version_that_nobody_speaks_is_told(autojump_clock: MockClock) -> None:
    async with broker() as b:
        client = Client(b.transport.connect())
        client.send(frames.Hello([7, 9], [], {"portal": "acme/help"}, {}))
        assert (await client.ended()).code == Close.NO_COMMON_VERSION


async def test_a_connection_ends_with_its_token_unless_it_is_refreshed(autojump_clock: MockClock) -> None:
    async with broker() as b:
        short = await b.connect({"token": b.token("acme", "ann", "representative", life=60_000)})
        other = await b.connect({"token": b.token("acme", "bob", "representative", life=60_000)})
        fresh = b.token("acme", "bob", "representative", life=180_000)
        value = await other.ask("auth.refresh", token=fresh)
        check.check_result("auth.refresh", value)
        with pytest.raises(Refused) as refused:
            await other.ask("auth.refresh", token=b.token("acme", "ann", "representative"))
        assert refused.value.code == Code.NOT_ALLOWED
        began = b.clock.now()
        async with trio.open_nursery() as nursery:
            ends = {}

            async def wait(name: str, client: Client) -> None:
                ends[name] = ((await client.ended()).code, round((b.clock.now() - began) / 1000))

            nursery.start_soon(wait, "short", short)
            nursery.start_soon(wait, "other", other)
        assert ends == {"short": (Close.TOKEN_EXPIRED, 60), "other": (Close.TOKEN_EXPIRED, 180)}


async def test_a_token_refreshed_to_an_earlier_end_ends_earlier(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.connect({"token": b.token("acme", "ann", "representative", life=DAY)})
        await ann.ask("auth.refresh", token=b.token("acme", "ann", "representative", life=30_000))
        began = b.clock.now()
        assert (await ann.ended()).code == Close.TOKEN_EXPIRED
        assert 30_000 <= b.clock.now() - began <= 30_100


async def test_the_schema_is_served_as_it_is(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        value = await ann.ask("meta.schema")
        check.check_result("meta.schema", value)
        assert value["version"] == 1


async def test_no_more_connections_than_there_is_room_for(autojump_clock: MockClock) -> None:
    async with broker(Options(max_connections=3, account_customers=3)) as b:
        await b.settle()
        held = [await b.customer() for _ in range(3)]
        with pytest.raises(Ended) as end:
            await b.customer()
        assert end.value.code == Close.BUSY
        assert end.value.goodbye is not None
        assert end.value.goodbye.action == frames.COME_BACK
        held[0].peer.close()
        await b.settle(6)
        await b.customer()


async def test_welcome_waits_for_what_it_depends_on(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await b.staff("boss", "manager")
        b.journal.hold()
        number = boss.ask_nowait("representative.put", "k1", representative="new", name="N", team="t1", capacity=1)
        await b.settle()
        new = Client(b.transport.connect())
        new.send(frames.Hello([1], [], {"token": b.token("acme", "new", "representative")}, {}))
        await b.settle()
        assert new.pump() == []
        b.journal.release()
        await boss.answer(number)
        await new.expect(frames.Welcome)


assert len(KEY) == 32
