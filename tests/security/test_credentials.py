"""The attack: to be somebody else, with a token that is forged, stale, borrowed, replayed, or planted on the victim."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
import trio
from trio.testing import MockClock

from broker.codes import Close, Code
from broker.identity.tokens import Signer
from broker.protocol import frames
from tests.runtime.harness import DAY, KEY, SIGNER, Broker, Client, Ended, Refused, broker

FOREVER = 2**52
ACCOUNTS = (("acme", 0), ("bolt", 1))


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(payload: bytes, key: bytes = KEY) -> str:
    signed = f"v1.{encode(payload)}"
    return f"{signed}.{encode(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def jwt(header: dict[str, str], payload: bytes, signature: bytes) -> str:
    return f"{encode(json.dumps(header).encode())}.{encode(payload)}.{encode(signature)}"


GOOD = SIGNER.mint("acme", "ann", "representative", FOREVER)
BODY = GOOD.split(".")[1]
PAYLOAD = base64.urlsafe_b64decode(BODY + "=" * (-len(BODY) % 4))
BOSS = PAYLOAD.replace(b"representative", b"manager").replace(b'"ann"', b'"boss"')
FORGED = {
    "empty": "",
    "cut short": GOOD[:-1],
    "cut to its payload": GOOD.rpartition(".")[0],
    "without a signature": GOOD.rpartition(".")[0] + ".",
    "with a byte more": GOOD + "A",
    "signed by another key": Signer(bytes(32)).mint("acme", "ann", "representative", FOREVER),
    "signed by the empty key": sign(PAYLOAD, b"\0"),
    "another payload under a good signature": f"v1.{encode(BOSS)}.{GOOD.rpartition('.')[2]}",
    "another version": GOOD.replace("v1.", "v0."),
    "a JWT of no algorithm": jwt({"alg": "none", "typ": "JWT"}, BOSS, b""),
    "a JWT signed with our own key": jwt({"alg": "HS256"}, BOSS, hmac.digest(KEY, BOSS, hashlib.sha256)),
    "none where the version stands": f"none.{BODY}.",
    "padded base64": GOOD + "=",
    "a line's end behind it": GOOD + "\n",
    "standard base64": GOOD.replace("-", "+").replace("_", "/") + "/",
    "signed, but not as we write it": sign(PAYLOAD.replace(b",", b", ")),
    "signed, with a field twice": sign(PAYLOAD.replace(b'"r":', b'"r":"manager","r":')),
    "signed, with a field more": sign(PAYLOAD.replace(b'"r":', b'"admin":true,"r":')),
    "signed, a customer with a representative's name": sign(PAYLOAD.replace(b"representative", b"customer")),
    "signed, an unknown role": sign(PAYLOAD.replace(b"representative", b"root")),
    "signed, endless": sign(PAYLOAD.replace(str(FOREVER).encode(), b"1e99")),
    "the signature alone": "." + GOOD.rpartition(".")[2],
    "two tokens": f"{GOOD}.{GOOD}",
    "very long": "v1." + "A" * 1900 + "." + "A" * 43,
}


@pytest.mark.parametrize("name", list(FORGED))
async def test_a_forged_token_opens_nothing_and_is_told_no_reason(name: str, autojump_clock: MockClock) -> None:
    async with broker() as b:
        with pytest.raises(Ended) as end:
            await b.connect({"token": FORGED[name]})
        assert end.value.code == Close.BAD_AUTH
        assert end.value.goodbye is not None
        assert end.value.goodbye.text == "not a token of this installation"
        with pytest.raises(Refused) as refused:
            await (await b.staff("ann")).ask("auth.refresh", token=FORGED[name])
        assert refused.value.code == Code.NOT_ALLOWED


async def test_the_good_token_among_them_would_open(autojump_clock: MockClock) -> None:
    async with broker() as b:
        assert sign(PAYLOAD) == GOOD
        await b.connect({"token": GOOD})


async def test_an_expired_token_neither_opens_nor_refreshes(autojump_clock: MockClock) -> None:
    async with broker() as b:
        stale = b.token("acme", "ann", "representative", life=5)
        await trio.sleep(0.01)
        with pytest.raises(Ended) as end:
            await b.connect({"token": stale})
        assert end.value.code == Close.TOKEN_EXPIRED
        with pytest.raises(Refused):
            await (await b.staff("ann")).ask("auth.refresh", token=stale)


async def test_a_connection_does_not_outlive_its_token(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.connect({"token": b.token("acme", "ann", "representative", life=1000)})
        assert (await ann.ended()).code == Close.TOKEN_EXPIRED


@pytest.mark.parametrize(
    ("person", "role"), [("bob", "representative"), ("ann2", "manager"), ("robot", "service"), ("v_7", "customer")]
)
async def test_no_refresh_turns_one_person_into_another(person: str, role: str, autojump_clock: MockClock) -> None:
    async with broker(accounts=ACCOUNTS) as b:
        ann = await b.staff("ann")
        for account in ("acme", "bolt"):
            with pytest.raises(Refused) as refused:
                await ann.ask("auth.refresh", token=b.token(account, person, role))
            assert refused.value.code == Code.NOT_ALLOWED
        with pytest.raises(Refused):
            await ann.ask("auth.refresh", token=b.token("bolt", "ann", "representative"))


async def test_a_customers_token_makes_no_representative(autojump_clock: MockClock) -> None:
    async with broker() as b:
        carl = await b.customer()
        assert carl.welcome is not None
        again = await b.connect({"token": carl.welcome.identity["visitor"]})
        assert again.welcome is not None
        assert again.welcome.identity["role"] == "customer"
        with pytest.raises(Refused) as refused:
            await again.write("presence.set", presence="available")
        assert refused.value.code == Code.NOT_ALLOWED


async def test_a_second_hello_on_a_connection_ends_it(autojump_clock: MockClock) -> None:
    async with broker() as b:
        carl = await b.customer()
        carl.send(frames.Hello([1], [], {"token": b.token("acme", "boss", "manager")}, {}))
        assert (await carl.ended()).code == Close.PROTOCOL


async def test_a_recorded_sign_in_replayed_is_the_same_person_and_no_more(autojump_clock: MockClock) -> None:
    """A token is a bearer's: whoever has it is that person until it expires. A replay gains nothing beyond."""
    async with broker() as b:
        token = b.token("acme", "ann", "representative")
        first, second = await b.connect({"token": token}), await b.connect({"token": token})
        assert first.welcome is not None
        assert second.welcome is not None
        assert first.welcome.identity == second.welcome.identity


async def test_a_replayed_request_under_somebody_elses_key_is_that_persons_own(autojump_clock: MockClock) -> None:
    """Keys are each person's: a stolen one finds no stored answer, and changes nothing of the other's."""
    async with broker(accounts=ACCOUNTS) as b:
        victim = await b.customer()
        asked = await victim.ask("request.create", "stolen-key", text="words")
        for thief in (await b.customer(), await b.customer("bolt/help")):
            told = await thief.ask("request.create", "stolen-key", text="words")
            assert told["request"] != asked["request"]
            assert "replayed" not in told


async def test_a_replayed_secret_is_not_told_again(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        made = await ann.ask("pin.create", "once")
        again = await ann.ask("pin.create", "once")
        assert (again["id"], again["replayed"]) == (made["id"], True)
        assert "pin" not in again


PLANTED = {
    "an id of the attacker's choice": "v_attacker0000",
    "a forged token": Signer(bytes(32)).mint("acme", "v_0123456789abcdef", "customer", FOREVER, "help"),
    "a representative's token": SIGNER.mint("acme", "ann", "representative", FOREVER),
    "a manager's token": SIGNER.mint("acme", "boss", "manager", FOREVER),
    "another account's visitor": SIGNER.mint("bolt", "v_0123456789abcdef", "customer", FOREVER, "help"),
    "an expired visitor": SIGNER.mint("acme", "v_0123456789abcdef", "customer", 1, "help"),
}


@pytest.mark.parametrize("name", list(PLANTED))
async def test_a_planted_visitor_token_fixes_no_session(name: str, autojump_clock: MockClock) -> None:
    async with broker(accounts=ACCOUNTS) as b:
        victim = await b.customer(visitor=PLANTED[name])
        assert victim.welcome is not None
        person = str(victim.welcome.identity["person"])
        assert person.startswith("v_")
        assert person not in PLANTED[name]
        assert person != "v_0123456789abcdef"
        assert victim.welcome.identity["role"] == "customer"


async def visitor_of(client: Client) -> str:
    assert client.welcome is not None
    return str(client.welcome.identity["visitor"])


async def refused(b: Broker, client: Client, op: str, **args: object) -> int:
    with pytest.raises(Refused) as told:
        await client.write(op, **args)
    return told.value.code


async def test_knowing_a_visitors_id_gives_nothing_of_its_request(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, victim, thief = await b.staff("ann"), await b.customer(), await b.customer()
        await ann.ask("subscribe", stream="me", from_="now")
        await ann.write("presence.set", presence="available")
        made = await victim.write("request.create", text="words")
        offer = (await ann.event("offer.made")).data["offer"]
        assert await refused(b, thief, "request.withdraw", request=made["request"]) == Code.NO_SUCH
        session = (await ann.write("offer.accept", offer=offer))["session"]
        share = (await ann.write("share.request", session=session))["share"]
        assert await refused(b, thief, "session.end", session=session) == Code.NO_SUCH
        for op in ("share.accept", "share.confirm", "share.decline", "share.stop"):
            assert await refused(b, thief, op, share=share) == Code.NO_SUCH
        for stream in (f"session:{session}", f"me:{made['request']}", "account", "team:t1", "subportal:help-1"):
            with pytest.raises(Refused) as told:
                await thief.ask("subscribe", stream=stream, from_="offset", offset=0)
            assert told.value.code == Code.NO_SUCH
        thief.send(frames.Signal(share, "ice", b"x"))
        await b.settle()
        assert not [frame for frame in ann.pump() if isinstance(frame, frames.Signal)]


async def test_a_visitor_token_of_one_portal_works_at_its_own_account_alone(autojump_clock: MockClock) -> None:
    async with broker(accounts=ACCOUNTS) as b:
        carl = await b.customer()
        stolen = await visitor_of(carl)
        assert carl.welcome is not None
        elsewhere = await b.customer("bolt/help", visitor=stolen)
        assert elsewhere.welcome is not None
        assert elsewhere.welcome.identity["person"] != carl.welcome.identity["person"]


async def test_a_token_of_a_removed_person_or_portal_opens_nothing(autojump_clock: MockClock) -> None:
    async with broker() as b:
        fired = b.token("acme", "fired", "representative", DAY)
        closed = SIGNER.mint("acme", "v_0123456789abcdef", "customer", FOREVER, "gone")
        for auth in ({"token": fired}, {"token": closed}):
            with pytest.raises(Ended) as end:
                await b.connect(auth)
            assert end.value.code == Close.BAD_AUTH


async def test_a_representatives_name_cannot_be_taken_by_a_manager_token(autojump_clock: MockClock) -> None:
    async with broker() as b:
        for role in ("manager", "service"):
            with pytest.raises(Ended) as end:
                await b.staff("ann", role)
            assert end.value.code == Close.BAD_AUTH
