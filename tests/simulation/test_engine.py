"""The engine sends a desk what people would send: by hand on small days, and again to see that it repeats itself."""

# covers: broker/simulation/world.py broker/simulation/runs.py

from collections.abc import Sequence

import pytest

from broker.desk import events as e
from broker.desk import invariants
from broker.desk.desk import Desk
from broker.routing.router import Router
from broker.simulation import engine
from broker.simulation.day import Crew, Day, Traffic, crew_puts, members
from broker.simulation.engine import Simulation
from broker.simulation.laws import Deterministic, Exponential, Never
from broker.simulation.ledger import Ledger
from broker.simulation.puts import Put
from broker.simulation.runs import simulate
from broker.simulation.world import Answers, Arrival, Turn, World
from broker.units import HOURS, MINUTES, SECONDS

CREW = Crew(team="blue", count=2, capacity=1, subportals=("x", "y"))
PUTS = crew_puts([CREW])
ALL_DAY = [Turn(0, name, available=True) for name in members(CREW)]
START = 1_700_000_000_000


class Told:
    """A watcher that keeps what it sees."""

    def __init__(self) -> None:
        self.events: list[tuple[int, e.Event]] = []
        self.turned_away: list[tuple[int, str]] = []
        self.estimates: list[int] = []

    def see(self, event: e.Event, t: int) -> None:
        self.events.append((t, event))

    def refused(self, subportal: str, t: int) -> None:
        self.turned_away.append((t, subportal))

    def estimated(self, request: str, ms: int) -> None:
        self.estimates.append(ms)

    def of(self, *kinds: type) -> list[tuple[int, str]]:
        """(time, type) of the events of these classes."""
        return [(t, event.TYPE) for t, event in self.events if isinstance(event, kinds)]


def arrival(t: int, handle: int = 1000, patience: int | None = None, subportal: str = "x") -> Arrival:
    return Arrival(t=t, subportal=subportal, handle=handle, patience=patience)


def live(
    arrivals: Sequence[Arrival],
    *,
    turns: Sequence[Turn] = ALL_DAY,
    answers: Answers | None = None,
    puts: Sequence[Put] = PUTS,
    seed: int = 1,
    estimate: engine.Estimate | None = None,
) -> tuple[Told, Simulation]:
    """A day of an hour, lived through."""
    world = World(start=START, until=HOURS, arrivals=arrivals, turns=turns, answers=answers or Answers(declined=0.0))
    told = Told()
    ran = Simulation(world, puts, seed, watchers=lambda desk, world: (told,), estimate=estimate)
    ran.run()
    return told, ran


ASSIGNED, ENDED, SESSION = e.RequestAssigned, e.RequestEnded, e.SessionEnded


def test_two_are_served_at_once_and_the_third_when_the_first_is_done() -> None:
    told, _ = live([arrival(10, 500), arrival(20, 1000), arrival(30, 1000)])
    assert [t for t, _ in told.of(ASSIGNED)] == [10, 20, 510]
    assert [t for t, _ in told.of(SESSION)] == [510, 1020, 1510]


def test_who_runs_out_of_patience_withdraws_and_who_is_served_does_not() -> None:
    told, ran = live([arrival(10, 5000), arrival(20, 5000, patience=100), arrival(30, 5000, patience=100)])
    assert [(t, event.state) for t, event in told.events if isinstance(event, ENDED)] == [
        (130, "withdrawn"),
        (5010, "closed"),
        (5020, "closed"),
    ]
    assert not ran.desk.state.requests


def test_who_gives_up_while_an_offer_is_out_takes_it_back() -> None:
    told, _ = live([arrival(10, patience=100)], answers=Answers(latency=Deterministic(500)))
    ended = [event.reason for _, event in told.events if isinstance(event, e.OfferEnded)]
    assert ended == ["revoked"]
    assert told.of(ASSIGNED) == []


def test_an_answer_takes_its_time_and_the_wait_goes_on_until_then() -> None:
    told, _ = live([arrival(10)], answers=Answers(latency=Deterministic(700)))
    assert [t for t, _ in told.of(ASSIGNED)] == [710]


def test_an_answer_that_comes_too_late_finds_its_offer_expired() -> None:
    told, _ = live([arrival(10, patience=30_000)], answers=Answers(latency=Deterministic(20 * SECONDS)))
    reasons = [event.reason for _, event in told.events if isinstance(event, e.OfferEnded)]
    assert reasons == ["expired", "revoked"]


def test_offers_that_nobody_answers_go_round_until_somebody_does() -> None:
    arrivals = [arrival(n * MINUTES) for n in range(40)]
    told, ran = live(arrivals, answers=Answers(declined=0.3, silent=0.3))
    reasons = [event.reason for _, event in told.events if isinstance(event, e.OfferEnded)]
    assert {"declined", "expired"} == set(reasons)
    assert len(told.of(ASSIGNED)) == 40
    assert any(isinstance(event, e.RoundPaused) for _, event in told.events)
    assert not ran.desk.state.requests


def test_nobody_is_offered_anything_before_or_after_a_shift() -> None:
    turns = [Turn(1000, "blue-1", available=True), Turn(3000, "blue-1", available=False)]
    told, ran = live([arrival(10, 2500), arrival(20), arrival(30)], turns=turns)
    assert [t for t, _ in told.of(ASSIGNED)] == [1000]
    assert [t for t, _ in told.of(SESSION)] == [3500]  # it finishes what it has
    assert len(ran.desk.state.requests) == 2  # and those wait for nobody: the run ends all the same


def test_a_full_line_turns_customers_away() -> None:
    puts = (*PUTS, Put("subportal.put", {"subportal": "x", "max_waiting": 1}))
    told, _ = live([arrival(10), arrival(11), arrival(12), arrival(13)], puts=puts)
    assert told.turned_away == [(13, "x")]
    assert len(told.of(ASSIGNED)) == 3


def test_the_estimate_is_asked_for_those_who_wait_alone() -> None:
    asked: list[str] = []

    def estimate(router: Router, request: str) -> int | None:
        asked.append(request)
        return 990 if len(asked) == 1 else None

    told, _ = live([arrival(10), arrival(10), arrival(20), arrival(21)], estimate=estimate)
    assert len(asked) == 2
    assert told.estimates == [990]


def test_a_run_that_nobody_could_end_ends_after_the_overtime() -> None:
    told, ran = live([arrival(10)], answers=Answers(declined=1.0))
    assert told.of(ASSIGNED) == []
    assert START + HOURS < ran.now <= START + HOURS + engine.OVERTIME


def test_a_probe_looks_from_the_warm_up_to_the_end() -> None:
    seen: list[int] = []
    world = World(start=START, until=1000, arrivals=[arrival(0, 5000)], turns=ALL_DAY, warm_up=100)
    ran = Simulation(world, PUTS, 1, watchers=lambda desk, world: ())
    ran.probe(300, lambda desk, t: seen.append(t))
    ran.run()
    assert seen == [100, 400, 700]


def test_progress_is_told_and_ends_at_all_customers() -> None:
    world = World(start=START, until=HOURS, arrivals=[arrival(n) for n in range(9)], turns=ALL_DAY)
    told: list[int] = []
    Simulation(world, PUTS, 1, watchers=lambda desk, world: ()).run(told.append)
    assert told[-1] == 9
    assert told == sorted(told)


# --- what a configuration may ask for beside that ------------------------------------------------


def portal(**more: object) -> tuple[Put, ...]:
    """The portal as it is, and a little more."""
    first, *others = PUTS
    return (Put("portal.put", {**first.args, **more}), *others)


def reasons(told: Told, kind: type) -> list[object]:
    return [getattr(event, "reason", None) for _, event in told.events if isinstance(event, kind)]


def test_the_work_after_a_session_takes_as_long_as_the_portal_gives_or_less() -> None:
    arrivals = [arrival(10), arrival(10), arrival(20)]
    whole, _ = live(arrivals, puts=portal(wrap_up_ms=5000))
    assert [t for t, _ in whole.of(ASSIGNED)] == [10, 10, 6010]
    short, _ = live(arrivals, puts=portal(wrap_up_ms=5000), answers=Answers(wrap_up=Deterministic(2000)))
    assert [t for t, _ in short.of(ASSIGNED)] == [10, 10, 3010]
    assert reasons(short, e.WrapUpEnded) == ["done"] * 3


def test_outside_of_its_hours_a_portal_lets_nobody_in() -> None:
    hours = {"zone": "UTC", "weekly": [{"day": "mon", "from": "00:00", "to": "00:01"}]}
    told, _ = live([arrival(10)], puts=portal(hours=hours))
    assert told.turned_away == [(10, "x")]


def test_a_request_that_waits_too_long_goes_elsewhere_or_becomes_a_support_request() -> None:
    there = Put("subportal.put", {"subportal": "x", "overflow": [{"on": "wait", "after_ms": 1000, "to": "y"}]})
    told, _ = live([arrival(10, 9000), arrival(10, 9000), arrival(20)], puts=(*PUTS, there))
    assert told.of(e.RequestMoved) == [(1020, "request.moved")]
    assert len(told.of(ASSIGNED)) == 3
    away = Put("subportal.put", {"subportal": "x", "overflow": [{"on": "wait", "after_ms": 1000}]})
    told, _ = live([arrival(10, 9000), arrival(10, 9000), arrival(20, patience=5000)], puts=(*PUTS, away))
    assert next(event.state for _, event in told.events if isinstance(event, ENDED)) == "converted"
    at_once = Put("subportal.put", {"subportal": "x", "overflow": [{"on": "staffing"}]})
    told, _ = live([arrival(10, patience=5000)], turns=[], puts=(*PUTS, at_once))
    assert [(t, event.state) for t, event in told.events if isinstance(event, ENDED)] == [(10, "converted")]


def test_customers_bring_their_skills_their_class_and_their_name() -> None:
    skilled = Put("subportal.put", {"subportal": "x", "skills": [{"skill": "french", "level": 1, "asked": True}]})
    speaker = Put(
        "representative.put",
        {"representative": "blue-2", "name": "b", "team": "blue", "capacity": 1,
         "skills": [{"skill": "french", "level": 2}]},
    )  # fmt: skip
    puts = (*portal(classes=[{"class": "gold", "boost_ms": 60_000}]), skilled, speaker)
    arrivals = [
        Arrival(t=10, subportal="x", handle=1000, patience=None, skills=("french", "unknown")),
        Arrival(t=20, subportal="x", handle=500, patience=None, visitor="ann"),
        Arrival(t=30, subportal="x", handle=500, patience=None),
        Arrival(t=40, subportal="x", handle=500, patience=None, class_="gold"),
        Arrival(t=50, subportal="x", handle=500, patience=None, class_="unknown", visitor="ann"),
    ]
    told, _ = live(arrivals, puts=puts)
    served = [(t, event.visitor, event.representative) for t, event in told.events if isinstance(event, ASSIGNED)]
    assert served[0] == (10, "v_0", "blue-2")
    assert served[1] == (20, "v_ann", "blue-1")
    assert served[2] == (520, "v_3", "blue-1")  # gold before the older one
    assert len(served) == 4  # ann asked again while she was being served


def test_who_is_set_away_for_missing_offers_comes_back_on_its_shift() -> None:
    strict = Put("team.put", {"team": "blue", "subportals": ["x", "y"], "away_after": 1})
    turns = [Turn(0, "blue-1", available=True)]
    told, _ = live([arrival(10)], turns=turns, puts=(*PUTS, strict), answers=Answers(silent=0.7), seed=3)
    presences = [(event.presence, event.by) for _, event in told.events if isinstance(event, e.PresenceChanged)]
    assert ("away", "broker") in presences
    assert len(told.of(ASSIGNED)) == 1
    home, _ = live([arrival(10)], turns=[*turns, Turn(15_000, "blue-1", available=False)], puts=(*PUTS, strict),
                   answers=Answers(silent=1.0))  # fmt: skip
    assert home.of(ASSIGNED) == []


def busy_day(seed: int) -> World:
    """Something of everything."""
    traffic = [
        Traffic(subportal="x", rates=(150.0,), handle=Exponential(30_000), patience=Exponential(60_000)),
        Traffic(subportal="y", rates=(60.0,), handle=Exponential(60_000), patience=Never()),
    ]
    answers = Answers(latency=Exponential(3000), declined=0.2, silent=0.1)
    shifts = {"blue-2": [(0.2, 1.5)]}
    return Day(traffic=traffic, representatives=members(CREW), shifts=shifts, answers=answers, hours=2).world(seed)


def test_the_desk_keeps_its_invariants_through_a_busy_day() -> None:
    checked = 0
    ran = Simulation(busy_day(1), PUTS, 1, watchers=lambda desk, world: ())
    while ran.step():
        checked += 1
        if checked % 20 == 0:
            invariants.check(ran.desk.state, lowered=set())
    assert checked > 1000


def test_the_same_seed_gives_the_same_run_event_for_event() -> None:
    def once(seed: int) -> list[tuple[int, e.Event]]:
        told = Told()
        Simulation(busy_day(1), PUTS, seed, watchers=lambda desk, world: (told,)).run()
        return told.events

    first = once(1)
    assert first == once(1)
    assert first != once(2)  # the same customers, other answers


def test_several_runs_are_each_their_own_seed_s() -> None:
    outcomes = simulate(busy_day, PUTS, [1, 2, 1], service_level=20_000)
    assert outcomes[0].figures == outcomes[2].figures != outcomes[1].figures
    assert outcomes[0].waits == outcomes[2].waits


def test_progress_over_several_runs_adds_up() -> None:
    told: list[int] = []
    simulate(busy_day, PUTS, [1, 2], service_level=20_000, progress=told.append)
    assert sum(told) == len(busy_day(1).arrivals) + len(busy_day(2).arrivals)


@pytest.mark.parametrize("missing", [[], ["x"]])
def test_a_day_without_customers_or_without_anybody_there_ends(missing: list[str]) -> None:
    told, ran = live([arrival(10)] if missing else [], turns=[])
    assert told.of(ASSIGNED) == []
    assert isinstance(ran.desk, Desk)


def test_a_ledger_is_what_the_engine_shows_it() -> None:
    world = World(start=START, until=HOURS, arrivals=[arrival(10)], turns=ALL_DAY)
    ran = Simulation(world, PUTS, 1, watchers=lambda desk, world: (Ledger(desk, world),))
    ran.run()
    (ledger,) = ran.watchers
    assert isinstance(ledger, Ledger)
    assert [(row.arrived, row.waited, row.outcome) for row in ledger.rows.values()] == [(10, 0, "closed")]
