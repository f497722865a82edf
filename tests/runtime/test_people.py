"""People on the wire: passwords, refreshes, keys, links, and who is shut out at once."""

# covers: broker/runtime/credentials.py
# covers: broker/runtime/entrance.py
# covers: broker/runtime/passwords.py
# covers: broker/runtime/links.py
# covers: broker/runtime/secret_ops.py
# covers: broker/runtime/revocations.py
# covers: broker/runtime/refusals.py
# covers: broker/runtime/emails.py
# covers: broker/runtime/same_texts.py

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from broker import limits
from broker.codes import Close, Code
from broker.desk.commands import SetPassword, SignIn
from broker.desk.identity import Role
from broker.identity import passwords as passwords_of_identity
from broker.identity.hashers import Job
from broker.identity.passwords import Cost
from broker.protocol import frames, schema
from broker.protocol.ops import PasswordSet
from broker.runtime import credentials
from broker.runtime.admission import AddressLimits
from broker.runtime.options import Options
from broker.runtime.passwords import nobody
from broker.runtime.same_texts import TEXTS
from broker.units import HOURS, KIB, MINUTES, SECONDS
from tests.runtime.harness import DAY, Broker, Client, Ended, Refused, broker

SELDOM = Options(position_period=HOURS, forget_period=DAY)
GOOD, BETTER, BEST = "Correct-Horse-7", "Battery-Staple-8", "Third-Time-Lucky-9"


async def boss_of(b: Broker) -> Client:
    """The first account manager, who has a password."""
    boss = await b.staff("boss", "manager")
    await boss.write(
        "manager.put", manager="boss", kind="account", name="Bo Ss", email="Boss@Example.org", rights=["api_managers"]
    )
    link = b.hub.entrance.links.link("acme", "boss", "manager", 0)  # type: ignore[arg-type]  # a str is a role here
    assert await b.hub.entrance.links.choose(link.partition("token=")[2], GOOD) == ()
    return boss


def login(person: str, password: str, role: str = "manager") -> dict[str, Any]:
    return {"login": {"account": "acme", "role": role, "person": person, "password": password}}


async def refused(b: Broker, auth: dict[str, Any], **options: Any) -> Ended:
    with pytest.raises(Ended) as end:
        await b.connect(auth, **options)
    return end.value


async def test_a_password_opens_by_name_and_by_address_and_gives_tokens(autojump_clock: MockClock) -> None:
    async with broker() as b:
        await boss_of(b)
        for name in ("boss", "boss@example.org", "BOSS@EXAMPLE.ORG"):
            client = await b.connect(login(name, GOOD))
            assert client.welcome is not None
            said = client.welcome.identity
            assert (said["person"], said["role"]) == ("boss", "manager")
            assert 0 < int(str(said["expires"])) - b.clock.now() <= limits.SIGN_IN_ACCESS
            again = await b.connect({"token": said["token"]})
            assert again.welcome is not None
            assert "refresh" not in again.welcome.identity
        found = await client.ask("sign_in.list")
        assert [one["how"] for one in found["sign_ins"]] == ["password"] * 3


@pytest.mark.parametrize(
    "auth",
    [
        login("boss", "wrong"),
        login("nobody", GOOD),
        login("nobody@example.org", GOOD),
        login("boss", GOOD, "representative"),
        login("ann", GOOD, "representative"),
        {"login": {**login("boss", GOOD)["login"], "account": "other"}},
    ],
)
async def test_a_wrong_name_password_role_or_account_is_refused_alike(
    auth: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with broker() as b:
        await boss_of(b)
        end = await refused(b, auth)
        assert (end.code, end.goodbye and end.goodbye.text) == (Close.BAD_AUTH, "wrong name or password")


async def test_who_guesses_waits_longer_and_longer_and_its_owner_elsewhere_does_not(autojump_clock: MockClock) -> None:
    async with broker() as b:
        await boss_of(b)
        for _ in range(limits.WRONG_PASSWORDS):
            assert (await refused(b, login("boss", "wrong"), address="203.0.113.9")).code == Close.BAD_AUTH
        end = await refused(b, login("boss", GOOD), address="203.0.113.9")
        assert end.code == Close.BUSY
        assert end.goodbye is not None
        assert 0 < (end.goodbye.retry_ms or 0) <= limits.LOCKOUT_FIRST
        await b.connect(login("boss", GOOD), address="198.51.100.7")
        await trio.sleep(limits.LOCKOUT_FIRST / 1000)
        await b.connect(login("boss", GOOD), address="203.0.113.9")


async def test_a_refresh_token_is_good_once_and_a_copied_one_ends_the_sign_in(autojump_clock: MockClock) -> None:
    async with broker(SELDOM) as b:
        await boss_of(b)
        client = await b.connect(login("boss", GOOD))
        assert client.welcome is not None
        first = client.welcome.identity["refresh"]
        second = (await client.ask("auth.refresh", refresh=first))["refresh"]
        assert (await client.ask("auth.refresh", refresh=first))["token"]  # the answer may have been lost
        said = await client.ask("auth.refresh", refresh=second)
        await trio.sleep(limits.REFRESH_GRACE / 1000 + 1)
        owner = await b.connect({"token": said["token"]})
        assert (await refused(b, {"refresh": first})).code == Close.BAD_AUTH
        assert (await owner.ended()).code == Close.BAD_AUTH
        assert (await refused(b, {"refresh": said["refresh"]})).code == Close.BAD_AUTH


async def test_a_refresh_token_that_is_shown_by_another_sign_in_is_not_used_up(autojump_clock: MockClock) -> None:
    async with broker(SELDOM) as b:
        await boss_of(b)
        here, there = await b.connect(login("boss", GOOD)), await b.connect(login("boss", GOOD))
        assert there.welcome is not None
        refresh = there.welcome.identity["refresh"]
        with pytest.raises(Refused) as end:
            await here.ask("auth.refresh", refresh=refresh)
        assert end.value.code == Code.NOT_ALLOWED
        await trio.sleep(limits.REFRESH_GRACE / 1000 + 1)  # after which one that was used up is a copy
        again = await b.connect({"refresh": refresh})
        assert again.welcome is not None
        assert again.welcome.identity["sign_in"] == there.welcome.identity["sign_in"]


async def test_who_refreshes_while_the_account_cannot_be_asked_is_told_to_come_back(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with broker(SELDOM) as b:
        await boss_of(b)
        client = await b.connect(login("boss", GOOD))
        assert client.welcome is not None
        refresh = client.welcome.identity["refresh"]
        for given, said in ((None, b.hub.options.retry_most), (7000, 7000)):

            def busy(claims: object, network: object, given: int | None = given) -> None:
                raise credentials.Refused(Close.BUSY, "the account is being read", given)

            monkeypatch.setattr(b.hub.entrance.credentials, "go_on", busy)
            with pytest.raises(Refused) as end:
                await client.ask("auth.refresh", refresh=refresh)
            assert (end.value.code, end.value.fail.retry_ms) == (Code.JOURNAL_DOWN, said)
        monkeypatch.undo()
        assert (await client.ask("auth.refresh", refresh=refresh))["token"]


async def test_a_sign_in_outlives_its_access_token_by_its_refresh_token(autojump_clock: MockClock) -> None:
    async with broker(SELDOM) as b:
        await boss_of(b)
        client = await b.connect(login("boss", GOOD))
        assert client.welcome is not None
        said = client.welcome.identity
        await trio.sleep(limits.SIGN_IN_ACCESS / 1000 + 1)
        assert (await refused(b, {"token": said["token"]})).code == Close.TOKEN_EXPIRED
        again = await b.connect({"refresh": said["refresh"]})
        assert again.welcome is not None
        assert again.welcome.identity["sign_in"] == said["sign_in"]
        assert (await refused(b, {"token": said["refresh"]})).code == Close.BAD_AUTH
        assert (await refused(b, {"refresh": again.welcome.identity["token"]})).code == Close.BAD_AUTH


async def test_whoever_is_signed_out_is_shut_out_at_once_everywhere(autojump_clock: MockClock) -> None:
    async with broker(SELDOM) as b:
        boss = await boss_of(b)
        ann = await b.staff("ann")
        old = b.token("acme", "ann", "representative")
        await boss.write("password.set", person="ann", new=BETTER)
        mine = await b.connect(login("ann", BETTER, "representative"))
        start = b.clock.now()
        assert (await boss.write("sign_in.end", person="ann"))["ended"] == 1
        assert (await ann.ended()).code == Close.BAD_AUTH
        assert (await mine.ended()).code == Close.BAD_AUTH
        assert b.clock.now() - start < 2 * SECONDS
        assert (await refused(b, {"token": old})).code == Close.BAD_AUTH
        await b.connect(login("ann", BETTER, "representative"))


async def test_a_password_that_somebody_else_chose_opens_nothing_but_its_change(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await boss_of(b)
        await boss.write("password.set", person="ann", new=BETTER)
        ann = await b.connect(login("ann", BETTER, "representative"))
        assert ann.welcome is not None
        assert ann.welcome.identity["must_change"] is True
        with pytest.raises(Refused) as shut:
            await ann.write("presence.set", presence="available")
        assert (shut.value.code, "password.set" in shut.value.fail.text) == (Code.NOT_ALLOWED, True)
        with pytest.raises(Refused) as shut:
            await ann.ask("subscribe", stream="me", from_="now")
        assert shut.value.code == Code.NOT_ALLOWED
        with pytest.raises(Refused) as missing:
            await ann.write("password.set", new=BEST)
        assert missing.value.fail.detail == {"path": "args.old", "expected": "the present password"}
        with pytest.raises(Refused) as wrong:
            await ann.write("password.set", new=BEST, old=GOOD)
        assert wrong.value.code == Code.NOT_ALLOWED
        with pytest.raises(Refused) as weak:
            await ann.write("password.set", new="weak", old=BETTER)
        assert weak.value.code == Code.BAD_ARGS
        assert weak.value.fail.detail is not None
        assert weak.value.fail.detail["path"] == "args.new"
        await ann.write("password.set", new=BEST, old=BETTER)
        await ann.write("presence.set", presence="available")
        assert (await refused(b, login("ann", BETTER, "representative"))).code == Close.BAD_AUTH
        fresh = await b.connect(login("ann", BEST, "representative"))
        assert fresh.welcome is not None
        assert "must_change" not in fresh.welcome.identity


async def test_a_changed_password_ends_the_other_sign_ins_and_the_old_hash_is_erased(autojump_clock: MockClock) -> None:
    async with broker() as b:
        await boss_of(b)
        here, there = await b.connect(login("boss", GOOD)), await b.connect(login("boss", GOOD))
        access = b.hub.accounts["acme"].desk.state.access["boss"]
        assert access.password is not None
        old = access.password[0]
        await here.write("password.set", new=BETTER, old=GOOD)
        assert (await there.ended()).code == Close.BAD_AUTH
        assert (await here.ask("sign_in.list"))["sign_ins"][0]["how"] == "password"
        assert old not in b.hub.accounts["acme"].texts
        assert b.store.contents("acme", [old]) == {}


async def test_the_same_change_sent_twice_is_made_once(autojump_clock: MockClock) -> None:
    async with broker() as b:
        await boss_of(b)
        boss = await b.connect(login("boss", GOOD))
        numbers = [boss.ask_nowait("password.set", "k", new=BETTER, old=GOOD) for _ in range(2)]
        first, second = [(await boss.answer(number)).value for number in numbers]
        assert first == {"person": "boss"}
        assert second == {"person": "boss", "replayed": True}
        assert b.hub.accounts["acme"].desk.state.access["boss"].passwords == 2


async def test_keys_open_for_services_as_far_as_their_scopes_go_until_they_are_revoked(
    autojump_clock: MockClock,
) -> None:
    async with broker(SELDOM) as b:
        boss = await boss_of(b)
        await boss.write("service.put", service="robot", scopes=["events", "classify"])
        made = await boss.write("key.create", person="robot")
        scoped = await boss.write("key.create", person="robot", scopes=["classify"], life_ms=10 * MINUTES)
        with pytest.raises(Refused) as third:
            await boss.write("key.create", person="robot")
        assert third.value.code == Code.QUOTA
        robot = await b.connect({"key": made["secret"]})
        await robot.ask("subscribe", stream="account", from_="now")
        with pytest.raises(Refused):
            await robot.ask("subscribe", stream="audit", from_="now")
        narrow = await b.connect({"key": scoped["secret"]})
        with pytest.raises(Refused):
            await narrow.ask("subscribe", stream="account", from_="now")
        await boss.write("key.revoke", prefix=made["prefix"])
        assert (await robot.ended()).code == Close.BAD_AUTH
        assert (await refused(b, {"key": made["secret"]})).code == Close.BAD_AUTH
        await trio.sleep(10 * 60 + 1)
        assert (await refused(b, {"key": scoped["secret"]})).code == Close.BAD_AUTH
        assert (await refused(b, {"key": "hg_" + "0" * 10 + "_" + "a" * 52})).code == Close.BAD_AUTH


async def test_a_scope_that_is_taken_away_ends_the_reading(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await boss_of(b)
        await boss.write("service.put", service="robot", scopes=["events"])
        robot = await b.connect({"key": (await boss.write("key.create", person="robot"))["secret"]})
        await robot.ask("subscribe", stream="account", from_="now")
        await boss.write("service.put", service="robot", scopes=[])
        gap = await robot.expect(frames.Gap)
        assert (gap.stream, gap.reason) == ("account", "rights")
        await boss.write("service.delete", service="robot")
        assert (await robot.ended()).code == Close.BAD_AUTH


async def test_a_link_comes_by_mail_and_sets_a_password_once(autojump_clock: MockClock) -> None:
    async with broker(Options(public_url="https://desk.example.org")) as b:
        boss = await boss_of(b)
        await boss.write(
            "representative.put", representative="ann", name="Ann", team="t1", capacity=3, email="ann@example.org"
        )
        await boss.write("password.link", person="ann")
        await b.settle()
        (mail,) = b.post.mails
        assert mail.to == "ann@example.org"
        found = re.search(r"https://desk\.example\.org/password\?token=(\S+)", mail.text)
        assert found is not None
        links = b.hub.entrance.links
        assert links.known(found[1])
        assert await links.choose(found[1], "short") != ()
        assert await links.choose(found[1], BETTER) == ()
        assert not links.known(found[1])
        assert await links.choose(found[1], BEST) != ()
        await b.connect(login("ann@example.org", BETTER, "representative"))
        with pytest.raises(Refused) as nowhere:
            await boss.write("password.link", person="bob")
        assert nowhere.value.fail.detail is not None
        assert nowhere.value.fail.detail["state"] == "no_email"


async def test_who_forgot_a_password_is_mailed_a_link_and_nobody_else_learns_of_it(autojump_clock: MockClock) -> None:
    async with broker(Options(public_url="http://localhost")) as b:
        await boss_of(b)
        forgot = b.hub.entrance.links.forgot
        forgot("acme", "manager", "nobody@example.org", "203.0.113.0/24")  # type: ignore[arg-type]
        forgot("other", "manager", "boss@example.org", "203.0.113.0/24")  # type: ignore[arg-type]
        forgot("acme", "representative", "boss@example.org", "203.0.113.0/24")  # type: ignore[arg-type]
        assert b.post.mails == []
        for _ in range(3):
            forgot("acme", "manager", "BOSS@example.org", "203.0.113.0/24")  # type: ignore[arg-type]
        assert [mail.to for mail in b.post.mails] == ["Boss@Example.org"]


async def test_one_address_stands_for_a_manager_and_a_representative(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await boss_of(b)
        await boss.write(
            "representative.put", representative="ann", name="Ann", team="t1", capacity=3, email="boss@example.org"
        )
        await boss.write("password.set", person="ann", new=BETTER)
        as_ann = await b.connect(login("boss@example.org", BETTER, "representative"))
        as_boss = await b.connect(login("boss@example.org", GOOD, "manager"))
        assert as_ann.welcome is not None
        assert as_boss.welcome is not None
        assert (as_ann.welcome.identity["person"], as_boss.welcome.identity["person"]) == ("ann", "boss")


async def test_the_audit_tells_who_did_what_from_where_and_counts_what_was_refused(autojump_clock: MockClock) -> None:
    async with broker(SELDOM) as b:
        boss = await boss_of(b)
        await boss.ask("subscribe", stream="audit", from_="now")
        await boss.write("team.put", team="t2", subportals=[])
        told = await boss.event("audit.recorded")
        assert (told.data["person"], told.data["role"], told.data["op"]) == ("boss", "manager", "team.put")
        assert (told.data["object"], "network" in told.data) == ("t2", True)
        await b.connect(login("boss", GOOD), address="203.0.113.9")
        begun = await boss.event("sign_in.changed")
        assert (begun.data["person"], begun.data["network"]) == ("boss", "203.0.113.0/24")
        for _ in range(3):
            await refused(b, login("boss", "wrong"), address="203.0.113.9")
        ann = await b.staff("ann")
        for _ in range(2):
            with pytest.raises(Refused):
                await ann.write("team.put", team="t3", subportals=[])
        refusals = await boss.event("audit.refusals")
        told_rows: Any = refusals.data["rows"]
        rows = {(row.get("person"), row["code"]): row["count"] for row in told_rows}
        assert rows == {("boss", str(int(Close.BAD_AUTH))): 3, ("ann", str(int(Code.NOT_ALLOWED))): 2}


async def test_a_representative_who_is_let_go_is_out_and_stays_out(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await boss_of(b)
        ann = await b.staff("ann")
        await ann.write("presence.set", presence="available")
        token = b.token("acme", "ann", "representative")
        customer = await b.customer()
        await customer.write("request.create", text="x")
        assert (await boss.write("representative.delete", representative="ann"))["former"].startswith("former-")
        assert (await ann.ended()).code == Close.BAD_AUTH
        assert (await refused(b, {"token": token})).code == Close.BAD_AUTH
        with pytest.raises(Refused) as again:
            await boss.write("representative.put", representative="ann", name="Ann", team="t1", capacity=3)
        assert again.value.code == Code.BAD_ARGS


async def test_scenario_14_a_team_manager_sees_and_moves_what_is_in_its_teams_alone(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await boss_of(b)
        await boss.write("team.put", team="t2", subportals=["ask-1"])
        await boss.write("representative.put", representative="bob", name="Bob", team="t2", capacity=1)
        await boss.write("manager.put", manager="mia", kind="team", teams=["t1"], rights=["representatives"])
        mia = await b.staff("mia", "manager")
        seen = await mia.ask("account.get")
        assert [team["team"] for team in seen["teams"]] == ["t1"]
        assert [person["representative"] for person in seen["representatives"]] == ["ann"]
        for stream in ("account", "audit", "team:t2"):
            with pytest.raises(Refused):
                await mia.ask("subscribe", stream=stream, from_="now")
        await mia.ask("subscribe", stream="team:t1", from_="now")
        with pytest.raises(Refused) as shut:
            await mia.write("representative.put", representative="ann", name="Ann", team="t2", capacity=3)
        assert shut.value.code == Code.NOT_ALLOWED
        await boss.write("manager.put", manager="mia", kind="team", teams=["t1", "t2"], rights=["representatives"])
        await mia.write("representative.put", representative="ann", name="Ann", team="t2", capacity=3)


async def test_L1_an_account_says_what_new_passwords_must_be_like(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await boss_of(b)
        for settings, fits, fails in (
            ({"password_min": 20, "password_classes": 0}, "all small letters but very long", GOOD),
            ({"password_classes": 4}, GOOD, "Correct-Horse-x"),
            ({}, "Just-three-kinds", "two kinds only"),
        ):
            await boss.write("account.put", **settings)
            with pytest.raises(Refused) as refusal:
                await boss.write("password.set", person="ann", new=fails)
            assert refusal.value.fail.detail is not None
            assert refusal.value.fail.detail["path"] == "args.new"
            assert fails not in str(refusal.value.fail)
            await boss.write("password.set", person="ann", new=fits)


TOUCHY = Options(addresses=AddressLimits(failures=(0.001, 2)))


@pytest.mark.parametrize(("password", "left"), [(GOOD, 2), ("wrong", 1)])
async def test_a_password_counts_as_wrong_until_it_was_found_right(
    password: str, left: int, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or an address could have hundreds of them looked at before the first is known to be wrong."""
    async with broker(TOUCHY) as b:
        await boss_of(b)
        first, second = (Client(b.transport.connect(address="203.0.113.9")) for _ in range(2))
        source = b.hub.admission._sources["203.0.113.9"]
        submit, seen = b.hub.hashers.submit, []

        def spy(job: Job) -> int:
            seen.append(int(source.failures.tokens))
            return submit(job)

        monkeypatch.setattr(b.hub.hashers, "submit", spy)
        first.send(frames.Hello([1], [], login("boss", password), {}))
        await b.settle()
        assert (seen, int(source.failures.tokens)) == ([1], left)
        second.send(frames.Hello([1], [], login("boss", "wrong"), {}))
        assert (await second.ended()).code == Close.BAD_AUTH
        assert int(source.failures.tokens) == left - 1
        b.transport.connect(address="203.0.113.10")
        if left == 1:
            with pytest.raises(ConnectionRefusedError):
                b.transport.connect(address="203.0.113.9")
            assert b.hub.admission.refusals["failures"] == 1


async def test_a_password_that_was_replaced_while_it_was_looked_at_opens_nothing(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with broker() as b:
        boss = await boss_of(b)
        await boss.write("password.set", person="ann", new=BETTER)
        found: list[Any] = []
        entrance = b.hub.entrance
        auth = {"login": {**login("ann", BETTER, "representative")["login"]}}

        class Link:
            address = "203.0.113.9"

        class Peer:
            link = Link()

        entrance.credentials.verify(Peer(), auth, found.append)  # type: ignore[arg-type]  # all that it looks at
        entrance.passwords.make(BEST, lambda kept: replace(kept), nobody)

        def replace(kept: Any) -> None:
            command = SetPassword("ann", kept.ref, 1)
            b.hub.conductor.carry_out(b.hub.accounts["acme"], command, None, [kept])

        results = b.hub.hashers.poll()  # the new one is hashed before the old one was looked at
        monkeypatch.setattr(b.hub.hashers, "poll", lambda: list(reversed(results)))
        entrance.passwords.poll()
        (outcome,) = found
        assert isinstance(outcome, credentials.Refused)
        assert outcome.code == Close.BAD_AUTH


async def test_a_bug_after_a_password_was_looked_at_is_told_to_who_waits(autojump_clock: MockClock) -> None:
    async with broker(faults=3) as b:
        boss = await boss_of(b)
        account, links = b.hub.accounts["acme"], b.hub.entrance.links

        def planted() -> None:
            """The next desk to be read is without it."""
            handle = account.desk.handle

            def bug(command: object, *more: Any) -> Any:
                if isinstance(command, PasswordSet | SetPassword | SignIn):
                    raise ZeroDivisionError("what a person wrote")
                return handle(command, *more)

            account.desk.handle = bug  # type: ignore[assignment, method-assign]

        def logged() -> object:
            return [fields["correlation"] for _, event, fields in b.lines if event == "hub.fault"][-1]

        planted()
        with pytest.raises(Refused) as fail:
            await boss.ask("password.set", "k", person="ann", new=BETTER)
        assert (fail.value.code, fail.value.fail.detail) == (Code.INTERNAL, {"correlation": logged()})
        await b.settle(1)
        assert await boss.ask("password.set", "k", person="ann", new=BETTER)

        planted()
        end = await refused(b, login("boss", GOOD))
        assert end.code == Close.BUSY
        assert end.goodbye is not None
        assert str(logged()) in end.goodbye.text
        await b.settle(1)
        await b.connect(login("boss", GOOD))

        planted()
        token = links.link("acme", "boss", Role.MANAGER, account.desk.passwords_of("boss")).partition("token=")[2]
        with pytest.raises(RuntimeError) as page:
            await links.choose(token, BEST)
        assert str(logged()) in str(page.value)
        await b.settle(1)
        assert await links.choose(token, BEST) == ()
        assert "what a person wrote" not in str(b.lines)


async def test_a_key_ends_with_the_kind_that_may_have_one(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await boss_of(b)
        await boss.write("manager.put", manager="pia", kind="api")
        made = await boss.write("key.create", person="pia")
        pia = await b.connect({"key": made["secret"]})
        await boss.write("manager.put", manager="pia", kind="account")
        assert (await pia.ended()).code == Close.BAD_AUTH
        assert (await refused(b, {"key": made["secret"]})).code == Close.BAD_AUTH
        assert (await boss.ask("key.list"))["keys"] == []


async def test_nobody_is_given_the_address_by_which_somebody_else_signs_in(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await boss_of(b)
        put = {"name": "X", "team": "t1", "capacity": 3}
        await boss.write("representative.put", representative="bob", email="bob@example.org", **put)
        await boss.write("password.set", person="bob", new=BETTER)
        with pytest.raises(Refused) as taken:
            await boss.write("representative.put", representative="ann", email="BOB@example.org", **put)
        assert taken.value.fail.detail is not None
        assert taken.value.fail.detail["path"] == "args.email"
        await boss.write("representative.put", representative="bob", email="bob@example.org", **{**put, "capacity": 2})
        await b.connect(login("bob@example.org", BETTER, "representative"))


async def test_a_forced_change_is_a_change(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await boss_of(b)
        await boss.write("password.set", person="ann", new=BETTER)
        ann = await b.connect(login("ann", BETTER, "representative"))
        with pytest.raises(Refused) as same:
            await ann.write("password.set", new=BETTER, old=BETTER)
        assert same.value.fail.detail is not None
        assert same.value.fail.detail["path"] == "args.new"
        token = b.hub.entrance.links.link("acme", "ann", Role.REPRESENTATIVE, 1).partition("token=")[2]
        assert await b.hub.entrance.links.choose(token, BETTER) != ()
        assert await b.hub.entrance.links.choose(token, BEST, "203.0.113.0/24") == ()
        assert (await ann.ended()).code == Close.BAD_AUTH


async def test_a_link_is_worthless_after_another_address_or_signing_out(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await boss_of(b)
        put = {"name": "Ann", "team": "t1", "capacity": 3}
        await boss.write("representative.put", representative="ann", email="a@example.org", **put)
        links, desk = b.hub.entrance.links, b.hub.accounts["acme"].desk
        spoilers: tuple[Callable[[], Awaitable[Any]], ...] = (
            lambda: boss.write("representative.put", representative="ann", email="b@example.org", **put),
            lambda: boss.write("sign_in.end", person="ann"),
        )
        for spoil in spoilers:
            token = links.link("acme", "ann", Role.REPRESENTATIVE, desk.passwords_of("ann")).partition("token=")[2]
            assert links.known(token)
            await spoil()
            assert not links.known(token)


async def test_A1_the_same_put_twice_is_one_change(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await boss_of(b)
        puts: list[tuple[str, dict[str, Any]]] = [
            (
                "representative.put",
                {"representative": "ann", "name": "A", "team": "t1", "capacity": 1, "email": "a@b.cd"},
            ),
            ("manager.put", {"manager": "tim", "kind": "team", "name": "T", "email": "t@b.cd", "teams": ["t1"]}),
            ("team.put", {"team": "t2", "title": "Two", "subportals": []}),
            ("portal.put", {"portal": "p", "title": "P", "kind": "ask", "mode": "queue", "subportals": ["p1"]}),
        ]
        await boss.ask("subscribe", stream="account", from_="now")
        for op, args in puts:
            assert [(await boss.write(op, **args))["changed"] for _ in range(2)] == [True, False]
        await boss.write("representative.put", representative="ann", name="A", team="t1", capacity=1, email="c@b.cd")
        await b.settle()
        told = [one for one in boss.pump() if isinstance(one, frames.Event) and one.type == "representative.changed"]
        changes: Any = told[-1].data["changes"]
        assert [change["field"] for change in changes] == ["email"]


async def test_what_differs_from_what_is_there_takes_its_texts_over(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await boss_of(b)
        same: list[tuple[str, dict[str, Any]]] = [
            ("team.put", {"team": "t2", "title": "Two", "subportals": []}),
            ("portal.put", {"portal": "p", "title": "P", "kind": "ask", "mode": "queue", "subportals": ["p1"]}),
        ]
        for op, args in same:
            await boss.write(op, **args)
        account = b.hub.accounts["acme"]
        before = account.desk.held_contents()
        await boss.write("team.put", **same[0][1], away_after=2)
        await boss.write("portal.put", **same[1][1], places=2)
        assert account.desk.held_contents() == before
        told = await boss.ask("account.get")
        assert "Two" in [one["title"] for one in told["teams"]]
        assert "P" in [one["title"] for one in told["portals"]]


def test_every_text_of_what_is_put_can_be_taken_over() -> None:
    table: Any = schema.load()["ops"]
    personal = {
        op: {name for name, spec in entry["args"].items() if spec.get("personal")}
        for op, entry in table.items()
        if op.endswith(".put")
    }
    taken = {made.OP: {argument for argument, _ in pairs} for made, (_, _, pairs) in TEXTS.items()}  # type: ignore[attr-defined]
    assert taken == {op: names for op, names in personal.items() if names}


async def test_an_old_hash_is_made_anew_when_its_password_comes_by(autojump_clock: MockClock) -> None:
    async with broker() as b:
        await boss_of(b)
        account = b.hub.accounts["acme"]
        access = account.desk.state.access["boss"]
        assert access.password is not None
        cheaper = passwords_of_identity.hash(GOOD, Cost(time=2, memory=8 * KIB, lanes=1))
        account.texts[access.password[0]] = cheaper
        await b.connect(login("boss", GOOD))
        await b.settle()
        renewed = account.texts[account.desk.state.access["boss"].password[0]]  # type: ignore[index]  # it has one
        assert "t=1" in renewed
        await b.connect(login("boss", GOOD))


async def test_the_audit_has_sign_ins_by_key_and_counts_keys_that_are_none(autojump_clock: MockClock) -> None:
    async with broker(SELDOM) as b:
        boss = await boss_of(b)
        await boss.write("service.put", service="robot", scopes=["events"])
        made = await boss.write("key.create", person="robot")
        await boss.ask("subscribe", stream="audit", from_="now")
        await b.connect({"key": made["secret"]}, address="203.0.113.9")
        told = await boss.event("audit.recorded")
        assert (told.data["person"], told.data["op"], told.data["network"]) == (
            "robot",
            "sign_in.key",
            "203.0.113.0/24",
        )
        wrong = made["secret"][:-1] + ("a" if made["secret"][-1] != "a" else "b")
        await refused(b, {"key": wrong}, address="203.0.113.9")
        rows: Any = (await boss.event("audit.refusals")).data["rows"]
        assert [(row["person"], row["code"], row["count"]) for row in rows] == [("robot", "4500", 1)]
