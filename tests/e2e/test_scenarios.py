"""The acceptance scenarios as people meet them: frames on their own connections, on the virtual clock."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from typing import TypeGuard

import attrs
import pytest
import trio
from trio.testing import MockClock

from broker.protocol import frames
from broker.routing.policies import POLICIES
from tests.e2e.stage import Live, Stage, stage
from tests.runtime.harness import Refused

T_OFFER = 20.0
T_LEASE = 10.0
T_HOLD = 60.0


async def _desk(b: Stage, portals: Sequence[tuple[str, str, str]], teams: dict[str, list[str]], **more: object) -> None:
    """Portals as (name, kind, mode), each with one sub-portal of its name; teams with their representatives, each
    serving every portal but those named ``other…``, which team ``other`` serves."""
    boss = await b.staff("boss", "manager")
    for name, kind, mode in portals:
        await boss.write("portal.put", portal=name, kind=kind, mode=mode, subportals=[name], **more)
    for team, people in teams.items():
        mine = [name for name, _, _ in portals if name.startswith("other") == (team == "other")]
        await boss.write("team.put", team=team, subportals=mine)
        for person in people:
            capacity = 3 if person.startswith("many") else 1
            await boss.write(
                "representative.put", representative=person, name=f"Ms {person}", team=team, capacity=capacity
            )
    boss.peer.close()


async def _on_duty(b: Stage, person: str, *streams: str) -> Live:
    client = await b.staff(person)
    await client.write("presence.set", presence="available")
    for stream in ("me", *streams):
        await client.ask("subscribe", stream=stream, from_="now")
    return client


async def _asking(b: Stage, portal: str, **form: object) -> tuple[Live, str]:
    client = await b.customer(f"acme/{portal}")
    await client.ask("subscribe", stream="me", from_="now")
    made = await client.write("request.create", **form)
    return client, str(made["request"])


def _offers(client: Live) -> list[frames.Event]:
    return [frame for frame in client.seen if isinstance(frame, frames.Event) and frame.type == "offer.made"]


# --- 1 ---------------------------------------------------------------------------------------------


async def test_scenario_1_broadcast_first_wins(autojump_clock: MockClock) -> None:
    chance = random.Random(1)
    async with stage() as b:
        await _desk(b, [("ask", "ask", "web"), ("other", "ask", "web")], {"t": ["a", "b", "c"], "other": ["d"]})
        staff = {name: await _on_duty(b, name, "subportal:ask") for name in "abc"}
        other = await _on_duty(b, "d", "subportal:other")
        for _ in range(20):
            customer, request = await _asking(b, "ask", text="Why?")
            alerts = {name: await client.event("offer.made") for name, client in staff.items()}
            assert {event.data["text"] for event in alerts.values()} == {"Why?"}
            asked = {}
            for name in chance.sample("abc", 3):
                asked[name] = staff[name].ask_nowait(
                    "offer.accept", f"{request}{name}", offer=alerts[name].data["offer"]
                )
            won, lost = [], []
            for name, number in asked.items():
                try:
                    await staff[name].answer(number)
                    won.append(name)
                except Refused as told:
                    lost.append((name, told))
            assert len(won) == 1
            for _, refused in lost:
                assert refused.code == 2405
                assert refused.fail.detail == {"reason": "taken", "representative": won[0], "name": f"Ms {won[0]}"}
            for client in staff.values():
                assert (await client.event("offer.ended")).data["reason"] == "rescinded"
            joined = await customer.event("request.assigned")
            assert joined.data["name"] == f"Ms {won[0]}"
            await staff[won[0]].write("session.end", session=joined.data["session"])
            customer.peer.close()
        assert _offers(other) == []


# --- 2 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fallback", ["choose", "broadcast"])
async def test_scenario_2_a_picked_representative_leaves(autojump_clock: MockClock, fallback: str) -> None:
    async with stage() as b:
        await _desk(b, [("pick", "pick", "web"), ("other", "ask", "web")], {"t": ["a", "b"], "other": ["d"]},
                    pick_fallback=fallback)  # fmt: skip
        anne, bert = await _on_duty(b, "a", "subportal:pick"), await _on_duty(b, "b", "subportal:pick")
        await _on_duty(b, "d")
        page = await b.customer("acme/pick")
        shown = (await page.ask("portal.open"))["representatives"]
        assert [one["representative"] for one in shown] == ["a", "b"]
        customer, request = await _asking(b, "pick", representative="b")
        offer = await bert.event("offer.made")
        assert offer.data["kind"] == "direct"
        assert _offers(anne) == []
        await bert.write("presence.set", presence="offline")
        told = await customer.event("request.unplaced")
        assert told.data["representative"] == "b"
        assert told.data["broadcast"] == (fallback == "broadcast")
        if fallback == "choose":
            with pytest.raises(Refused) as gone:
                await customer.write("request.pick", request=request, representative="b")
            assert gone.value.code == 2410
            await customer.write("request.pick", request=request, representative="a")
        again = await anne.event("offer.made")
        assert again.data["arrived"] == offer.data["arrived"]


# --- 3 ---------------------------------------------------------------------------------------------


async def test_scenario_3_a_pin_connects_once_and_fails_alike(autojump_clock: MockClock) -> None:
    async with stage(accounts=[("acme", 0), ("rival", 1)]) as b:
        await _desk(b, [("pin", "pin", "phone"), ("me", "global_pin", "phone")], {"t": ["manyann"]})
        rival = await b.staff("boss", "manager", "rival")
        await rival.write("portal.put", portal="pin", kind="pin", mode="phone", subportals=["pin"])
        boss = await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="account", from_="now")
        ann = await _on_duty(b, "manyann")
        pins = [await ann.write("pin.create") for _ in range(4)]
        used, revoked, late, globally = (str(pin["pin"]) for pin in pins)
        assert all(len(pin) == 9 and pin.isdigit() for pin in (used, revoked, late, globally))

        visitor = await b.customer("acme/pin")
        got = await visitor.write("pin.redeem", pin=f"{used[:3]} {used[3:6]} {used[6:]}")
        assert got["representative"] == "manyann"
        assert _offers(ann) == []
        world = await b.connect({"pin": globally})
        assert (await world.write("pin.redeem", pin=globally))["representative"] == "manyann"
        await ann.write("pin.revoke", id=pins[1]["id"])
        await trio.sleep(4 * 3600 + 1)

        refused = []
        for portal, pin in (("acme/pin", used), ("acme/pin", revoked), ("acme/pin", late), ("rival/pin", late)):
            with pytest.raises(Refused) as wrong:
                await (await b.customer(portal)).write("pin.redeem", pin=pin)
            refused.append((wrong.value.code, wrong.value.fail.text, wrong.value.fail.detail))
        assert {code for code, _, _ in refused} == {2406}
        assert len(set(map(str, refused))) == 1
        listed = {str(pin["id"]): pin["state"] for pin in (await (await b.staff("manyann")).ask("pin.list"))["pins"]}
        assert [listed[str(pin["id"])] for pin in pins] == ["used", "revoked", "expired", "used"]


async def test_scenario_3_guessing_is_slowed_down_and_told(autojump_clock: MockClock) -> None:
    async with stage() as b:
        await _desk(b, [("pin", "pin", "phone")], {"t": ["ann"]})
        boss = await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="account", from_="now")
        codes = []
        for number in range(7):
            guesser = await b.customer("acme/pin")
            with pytest.raises(Refused) as wrong:
                await guesser.write("pin.redeem", pin=f"{number:09d}")
            codes.append(wrong.value.code)
        assert codes == [2406] * 5 + [3429] * 2
        assert (await boss.event("pin.guessing")).data["wrong"] == 5


# --- 4 and 5 ---------------------------------------------------------------------------------------


async def _place(customer: Live) -> int:
    notice = await customer.expect(frames.Notice, type="queue.position")
    return int(notice.data["position"])


async def test_scenario_4_queue_in_order_of_arrival(autojump_clock: MockClock) -> None:
    async with stage() as b:
        await _desk(b, [("line", "button", "queue")], {"t": ["a", "b"]})
        staff = [await _on_duty(b, "a"), await _on_duty(b, "b")]
        busy = []
        for client in staff:
            await _asking(b, "line")
            offer = await client.event("offer.made")
            busy.append(await client.write("offer.accept", offer=offer.data["offer"]))
        waiting = [await _asking(b, "line") for _ in range(3)]
        assert [await _place(customer) for customer, _ in waiting] == [1, 2, 3]
        ended = staff[0].ask_nowait("session.end", "end", session=busy[0]["session"])
        late = await _asking(b, "line")
        await staff[0].answer(ended)
        offer = await staff[0].event("offer.made")
        assert offer.data["request"] == waiting[0][1]
        assert await _place(late[0]) == 4  # the offered one keeps its place until it is accepted
        await staff[0].write("offer.accept", offer=offer.data["offer"])
        assert [await _place(customer) for customer, _ in (*waiting[1:], late)] == [1, 2, 3]
        served = []
        for client, session in ((staff[1], busy[1]["session"]), (staff[0], f"s_{waiting[0][1][2:]}")):
            await client.write("session.end", session=session)
            served.append((await client.event("offer.made")).data["request"])
        assert served == [waiting[1][1], waiting[2][1]]


async def test_scenario_5_an_offer_times_out_and_moves_on(autojump_clock: MockClock) -> None:
    async with stage() as b:
        await _desk(b, [("line", "button", "queue")], {"t": ["a", "b", "c"]})
        anne, bert, carl = [await _on_duty(b, name) for name in "abc"]
        customer, request = await _asking(b, "line")
        first = await anne.event("offer.made")
        ended = await anne.event("offer.ended")
        assert ended.data["reason"] == "expired"
        assert ended.t_ms == first.data["deadline"] == first.t_ms + T_OFFER * 1000  # F16, exactly
        second = await bert.event("offer.made")
        assert second.t_ms == ended.t_ms  # in the same tick
        assert second.data["arrived"] == first.data["arrived"]
        await trio.sleep(1)
        with pytest.raises(Refused) as late:
            await anne.write("offer.accept", offer=first.data["offer"])
        assert (late.value.code, late.value.fail.detail) == (2405, {"reason": "expired"})
        await bert.write("offer.decline", offer=second.data["offer"], reason="busy")
        third = await carl.event("offer.made")
        await carl.write("offer.decline", offer=third.data["offer"], reason="busy")
        assert (await bert.event("offer.ended")).data["code"] == "busy"
        assert await _place(customer) == 1  # nobody left: head of the line again
        nudged = await anne.event("offer.made")  # the next round
        assert nudged.data["request"] == request


# --- 6 ---------------------------------------------------------------------------------------------


@attrs.define
class _Vanished:
    """A representative with two sessions and an offer, whose cable has just been cut."""

    b: Stage
    sessions: list[str]
    requests: list[str]
    customers: list[Live]
    offered: str


async def _vanish(b: Stage) -> _Vanished:
    await _desk(b, [("line", "button", "queue")], {"t": ["manyann"]})
    ann = await _on_duty(b, "manyann")
    customers, sessions, requests = [], [], []
    for _ in range(2):
        customer, request = await _asking(b, "line")
        offer = await ann.event("offer.made")
        got = await ann.write("offer.accept", offer=offer.data["offer"])
        await customer.ask("subscribe", stream=f"session:{got['session']}", from_="now")
        customers.append(customer)
        sessions.append(str(got["session"]))
        requests.append(request)
    _, offered = await _asking(b, "line")
    await ann.event("offer.made")
    boss = await b.staff("boss", "manager")
    await boss.write("representative.put", representative="b", name="Bert", team="t", capacity=9)
    ann.silence()  # the cable is cut: no close frame
    return _Vanished(b, sessions, requests, customers, offered)


async def test_scenario_6_a_vanished_representative_comes_back(autojump_clock: MockClock) -> None:
    async with stage() as b:
        case = await _vanish(b)
        bert = await _on_duty(b, "b")
        before = b.broker.clock.now()
        held = [await customer.event("session.held") for customer in case.customers]
        assert all(event.t_ms - before <= T_LEASE * 1000 for event in held)
        assert (await bert.event("offer.made")).data["request"] == case.offered  # the offer moved on
        idle = b.broker.hub.accounts["acme"].desk.state.router.members["manyann"].idle_since
        await trio.sleep(20)
        back = await b.staff("manyann")
        for customer in case.customers:
            await customer.event("session.resumed")
        await back.ask("subscribe", stream=f"session:{case.sessions[0]}", from_="offset", offset=0)
        types = [(await back.expect(frames.Event)).type for _ in range(3)]
        assert types == ["session.opened", "session.held", "session.resumed"]  # everything, once, in order
        assert b.broker.hub.accounts["acme"].desk.state.router.members["manyann"].idle_since == idle  # F12


async def test_scenario_6_without_return_the_sessions_go_back_in_line(autojump_clock: MockClock) -> None:
    async with stage() as b:
        case = await _vanish(b)
        held = await case.customers[0].event("session.held")
        bert = await _on_duty(b, "b")
        assert (await bert.event("offer.made")).data["request"] == case.offered
        for customer in case.customers:
            requeued = await customer.event("request.requeued")
            assert requeued.data["reason"] == "representative_lost"
            assert requeued.t_ms == held.t_ms + T_HOLD * 1000
        again = [await bert.event("offer.made") for _ in range(2)]
        assert [event.data["request"] for event in again] == case.requests  # at their original age


async def test_F18_who_signs_out_is_shown_nothing_of_what_follows(autojump_clock: MockClock) -> None:
    async with stage() as b:
        await _desk(b, [("ask", "ask", "web")], {"t": ["a", "b"]})
        anne = await _on_duty(b, "a", "subportal:ask")
        await _on_duty(b, "b", "subportal:ask")
        await _asking(b, "ask", text="secret")
        offer = await anne.event("offer.made")
        await anne.write("offer.accept", offer=offer.data["offer"])
        await anne.event("session.opened")
        seen = len(anne.seen)
        await anne.write("presence.set", presence="offline", sessions="hand_back")
        await trio.sleep(1)
        after = anne.seen[seen:]
        assert [frame for frame in after if isinstance(frame, frames.Event) and frame.type == "offer.made"] == []
        assert [frame.reason for frame in after if isinstance(frame, frames.Gap)] == ["rights"]


# --- 8 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
async def test_scenario_8_capacity_is_never_passed(autojump_clock: MockClock, policy: str) -> None:
    people = [f"many{number:02d}" for number in range(20)]
    async with stage() as b:
        await _desk(b, [("line", "button", "queue")], {"t": people})
        await (await b.staff("boss", "manager")).write("subportal.put", subportal="line", policy=policy)
        staff = {name: await _on_duty(b, name) for name in people}
        asked = [(await _asking(b, "line"))[1] for _ in range(500)]
        members = b.broker.hub.accounts["acme"].desk.state.router.members
        sessions: list[tuple[Live, str]] = []
        while len(sessions) < 60:
            for client in staff.values():
                for event in client.fresh():
                    if isinstance(event, frames.Event) and event.type == "offer.made":
                        got = await client.write("offer.accept", offer=event.data["offer"])
                        sessions.append((client, str(got["session"])))
                assert all(member.load + member.offers <= 3 for member in members.values())
            await trio.sleep(0.05)
        assert [member.load for member in members.values()] == [3] * 20  # Jain's index is 1
        assert len(b.broker.hub.accounts["acme"].desk.state.router.lines["line"].order) == 440
        for position in range(60, 90):
            client, session = sessions[position - 60]
            await client.write("session.end", session=session)
            offer = await client.event("offer.made")  # each freed place goes to the oldest
            assert offer.data["request"] == asked[position]
            await client.write("offer.accept", offer=offer.data["offer"])


# --- 9 ---------------------------------------------------------------------------------------------


def _drift(served: Sequence[str], weights: dict[str, int]) -> Fraction:
    """How far the two are ever apart, over every window: the greatest less the least of the running difference."""
    (x, y), seen, now = weights, [Fraction(0)], Fraction(0)
    for line in served:
        now += Fraction(1, weights[x]) if line == x else -Fraction(1, weights[y])
        seen.append(now)
    return max(seen) - min(seen)


@pytest.mark.parametrize("times", [1, pytest.param(12, marks=pytest.mark.deep)])  # 12: the thousand of the scenario
async def test_scenario_9_F9_F10_sub_portals_share_by_weight(autojump_clock: MockClock, times: int) -> None:
    weights = {"x": 2, "y": 1}
    async with stage() as b:
        await _desk(b, [("x", "ask", "queue"), ("y", "ask", "queue")], {"t": list("abcdef")})
        boss = await b.staff("boss", "manager")
        await boss.write("subportal.put", subportal="x", weight=2)
        await boss.ask("subscribe", stream="account", from_="now", types=["offer.made"])
        staff = [await _on_duty(b, name) for name in "abcdef"]
        done = set[object]()

        async def both_wait(x: int, y: int, serve: int) -> None:
            """So many come, so many are served: what was offered while both waited is fair in every window."""
            for line, count in (("x", x), ("y", y)):
                for _ in range(count):
                    await _asking(b, line, text="Why?")
            boss.pump()
            await _serve(staff, done, serve)
            offered = [str(event.data["subportal"]) for event in boss.pump() if _is(event, "offer.made")]
            assert set(offered) == {"x", "y"}
            assert _drift(offered, weights) <= Fraction(3, 2)

        await both_wait(84 * times, 25 * times, 62 * times)
        await _serve(staff, done, 109 * times)  # y is done first, and x has everybody
        await trio.sleep(3600)
        await both_wait(40, 30, 109 * times + 45)  # and comes back without anything saved up


# --- 10 --------------------------------------------------------------------------------------------


async def test_scenario_10_F7_a_boost_overtakes_no_further_than_it_reaches(autojump_clock: MockClock) -> None:
    """Gold boost 120 s: a service that knows the customers says who is gold."""
    async with stage() as b:
        await _desk(b, [("line", "button", "queue")], {"t": ["a"]}, classes=[{"class": "gold", "boost_ms": 120_000}])
        crm = await b.staff("crm", "service")
        rep = await _on_duty(b, "a")
        await _asking(b, "line")
        taken = await rep.write("offer.accept", offer=(await rep.event("offer.made")).data["offer"])
        customer, normal = await _asking(b, "line")
        gold = []
        for _ in range(150):
            await trio.sleep(1)
            gold.append((await _asking(b, "line"))[1])
            assert (await crm.write("request.classify", request=gold[-1], **{"class": "gold"}))["changed"]
        await trio.sleep(4)
        told = [f for f in customer.seen if isinstance(f, frames.Notice) and f.type == "queue.position"]
        assert [one.data.get("reason") for one in told[1:]] == ["priority"] * (len(told) - 1)
        served: list[object] = []
        arrived: dict[object, int] = {}
        for _ in range(151):
            await rep.write("session.end", session=taken["session"])
            await trio.sleep(0.1)  # a representative's commands come at most twenty a second
            offer = (await rep.event("offer.made")).data
            served.append(offer["request"])
            arrived[offer["request"]] = int(str(offer["arrived"]))
            taken = await rep.write("offer.accept", offer=offer["offer"])
        ahead = [name for name in gold if arrived[name] - arrived[normal] < 120_000]
        assert len(ahead) in (119, 120)  # the last of them arrives 120 s after it, give or take a millisecond
        assert served == [*ahead, normal, *(name for name in gold if name not in ahead)]


async def _serve(staff: Sequence[Live], done: set[object], count: int) -> None:
    """Go on until so many requests have been served, whoever is offered them."""
    while len(done) < count:
        for person in staff:
            for event in _offers(person):
                if event.data["offer"] not in done and len(done) < count:
                    taken = await person.write("offer.accept", offer=event.data["offer"])
                    await person.write("session.end", session=taken["session"])
                    done.add(event.data["offer"])
        await trio.sleep(0.11)  # a representative may send twenty commands a second, and each takes two for a request


def _is(frame: frames.Frame, type_: str) -> TypeGuard[frames.Event]:
    return isinstance(frame, frames.Event) and frame.type == type_


# --- 11 --------------------------------------------------------------------------------------------


async def test_scenario_11_giving_up_the_wait(autojump_clock: MockClock) -> None:
    async with stage() as b:
        await _desk(b, [("help", "ask", "web"), ("other", "ask", "web")], {"t": ["a", "b"], "other": ["d"]})
        robot = await b.staff("crm", "service")
        await robot.ask("subscribe", stream="account", from_="now", types=["case.follow_up"])
        rep = await _on_duty(b, "a", "cases:help")
        colleague, outsider = await _on_duty(b, "b", "cases:help"), await b.staff("d")
        with pytest.raises(Refused):
            await outsider.ask("subscribe", stream="cases:help", from_="now")
        customer, request = await _asking(b, "help", text="It is broken", email="kim@example.org", name="Kim")
        opened = (await rep.event("case.opened")).data
        case = str(opened["case"])
        assert (opened["text"], opened["name"], opened["type"]) == ("It is broken", "Kim", "live_chat")
        await trio.sleep(90)
        left = await customer.write("request.convert", request=request, text="Please write to me")
        assert left == {"request": request, "case": case}
        assert (await customer.event("request.ended")).data["state"] == "converted"
        changed = (await rep.event("case.changed")).data
        assert (changed["type"], changed["status"]) == ("support_request", "unassigned")
        assert changed["text"] == "Please write to me"
        clock = changed["clock"]
        assert isinstance(clock, dict)
        assert (clock["kind"], clock["ms"] // 1000) == ("request", 90)
        assert "since" in clock  # it goes on
        for op, allowed in (
            ("case.resolve", ["case.take"]),
            ("case.reopen", ["case.take"]),
        ):
            with pytest.raises(Refused) as refused:
                await rep.write(op, case=case)
            assert (refused.value.code, (refused.value.fail.detail or {})["allowed"]) == (2410, allowed)
        await rep.write("case.take", case=case)
        assert (await robot.event("case.follow_up")).data["case"] == case
        mine = (await rep.event("case.changed")).data  # on me
        assert (mine["status"], mine["representative"]) == ("assigned", "a")
        await colleague.event("case.changed")
        assert (await colleague.event("case.changed")).data["representative"] == "a"
        with pytest.raises(Refused) as refused:
            await colleague.write("case.take", case=case)
        assert (refused.value.fail.detail or {})["allowed"] == ["case.resolve"]
        found = (await rep.ask("case.get", case=case))["case"]
        assert (found["email"], found["question"], found["text"]) == (
            "kim@example.org",
            "Please write to me",
            "It is broken",
        )
        resolved = await rep.write("case.resolve", case=case, version=found["version"])
        assert resolved["status"] == "resolved"
        with pytest.raises(Refused) as refused:
            await rep.write("case.resolve", case=case)
        assert (refused.value.fail.detail or {})["allowed"] == ["case.reopen"]
        with pytest.raises(Refused) as refused:
            await rep.write("case.reopen", case=case, version=1)
        now = (refused.value.fail.detail or {})["case"]
        assert isinstance(now, dict)
        assert now["version"] == resolved["version"]
        assert (await rep.write("case.reopen", case=case))["status"] == "assigned"
        assert (await rep.ask("case.get", case=case))["case"]["representative"] == "a"


# --- 12: what takes time; the rest over real sockets in test_screen_share -----------------------------


async def test_scenario_12_no_click_for_60_s_is_no(autojump_clock: MockClock) -> None:
    async with stage() as b:
        await _desk(b, [("ask", "ask", "queue")], {"t": ["a"]})
        anne = await _on_duty(b, "a")
        customer, _ = await _asking(b, "ask", text="Why?")
        session = (await anne.write("offer.accept", offer=(await anne.event("offer.made")).data["offer"]))["session"]
        for client in (anne, customer):
            await client.ask("subscribe", stream=f"session:{session}", from_="now")
        for steps in (("share.request",), ("share.request", "share.accept")):
            share = (await anne.write("share.request", session=session))["share"]
            if "share.accept" in steps:
                await customer.write("share.accept", share=share)
            asked = trio.current_time()
            for client in (anne, customer):
                while (told := (await client.event("share.changed")).data)["state"] != "refused":
                    assert told["state"] in ("requested", "accepted")
                assert (told["by"], told["reason"]) == ("broker", "no_answer")
            assert trio.current_time() - asked == pytest.approx(60.0, abs=0.5)
            customer.send(frames.Signal(share, "offer", b"x"))
            refused = await customer.expect(frames.Fail, id=0)
            assert refused.code == 2401
        assert [frame for frame in anne.seen if isinstance(frame, frames.Signal)] == []
