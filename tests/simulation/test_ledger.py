"""What is written down of a small day, counted by hand; and the share that each representative has (F15)."""

# covers: broker/simulation/figures.py

from collections.abc import Sequence
from random import Random

import pytest

from broker.routing.model import make_key
from broker.routing.policies import POLICIES, Rank, Ranked
from broker.simulation.day import Crew, Day, Traffic, crew_puts, members
from broker.simulation.engine import Simulation
from broker.simulation.figures import Figures, jain, outcome, over_runs, quantile
from broker.simulation.laws import Deterministic, Exponential, Law, Lognormal
from broker.simulation.ledger import Ledger
from broker.simulation.puts import Put
from broker.simulation.world import Answers, Arrival, Turn, World
from broker.units import HOURS, SECONDS

CREW = Crew(team="blue", count=2, capacity=1, subportals=("x",))
PUTS = crew_puts([CREW])
ALL_DAY = [Turn(0, name, available=True) for name in members(CREW)]


def arrival(t: int, handle: int = 1000, patience: int | None = None) -> Arrival:
    return Arrival(t=t, subportal="x", handle=handle, patience=patience)


def live(world: World, puts: Sequence[Put] = PUTS, told: dict[str, int] | None = None) -> Ledger:
    """A run's ledger; ``told``: what to answer to estimates, by the place in the line's order."""
    numbers = iter((told or {}).values())
    ran = Simulation(
        world,
        puts,
        1,
        watchers=lambda desk, world: (Ledger(desk, world),),
        estimate=(lambda router, request: next(numbers, None)) if told else None,
    )
    ran.run()
    (ledger,) = ran.watchers
    assert isinstance(ledger, Ledger)
    ledger.close()
    return ledger


def small(arrivals: Sequence[Arrival], *, until: int = 10_000, warm_up: int = 0, turns: Sequence[Turn] = ALL_DAY,
          answers: Answers | None = None) -> World:  # fmt: skip
    return World(
        start=0, until=until, arrivals=arrivals, turns=turns, warm_up=warm_up, answers=answers or Answers(declined=0.0)
    )


def figures(ledger: Ledger, level: int = 400) -> Figures:
    return outcome(ledger, [], level).figures


def test_a_small_day_comes_out_as_counted_by_hand() -> None:
    # two are served at once, one after 490 ms, one gives up after 100 ms
    found = figures(live(small([arrival(10, 500), arrival(10, 2000), arrival(20), arrival(30, patience=100)])))
    assert (found["requests"], found["served"], found["unserved"], found["refused"]) == (4, 3, 0, 0)
    assert found["abandoned"] == 0.25
    assert found["waited"] == 0.5
    assert found["wait_mean"] == pytest.approx((0.49 + 0.1) / 4)
    assert (found["wait_p50"], found["wait_p90"], found["wait_p99"]) == (0, 0.49, 0.49)
    assert found["service_level"] == 0.5
    assert found["line"] == pytest.approx((490 + 100) / 10_000)
    assert found["occupancy"] == pytest.approx((500 + 2000 + 1000) / 20_000)
    assert (found["overtakes"], found["declined"], found["expired"]) == (0, 0, 0)


def test_several_sub_portals_have_waits_of_their_own() -> None:
    crew = Crew(team="blue", count=2, capacity=1, subportals=("x", "y"))
    arrivals = [arrival(0), arrival(0, 500), arrival(0), Arrival(t=0, subportal="y", handle=1, patience=9)]
    found = figures(live(small(arrivals), crew_puts([crew])))
    assert found["wait_mean.x"] == pytest.approx(0.5 / 3)
    assert found["abandoned.x"] == 0
    assert (found["wait_mean.y"], found["abandoned.y"], found["service_level.y"]) == (0.009, 1, 0)
    assert "wait_mean.x" not in figures(live(small(arrivals[:3])))


def test_a_representative_who_finishes_after_its_shift_counts_as_there_while_it_does() -> None:
    turns = [Turn(0, "blue-1", available=True), Turn(1000, "blue-1", available=False)]
    ledger = live(small([arrival(500, 2000)], turns=turns))
    account = ledger.accounts["blue-1"]
    assert (account.offered_time, account.staffed_time, account.busy_time) == (1000, 2500, 2000)
    assert ledger.accounts["blue-2"].staffed_time == 0
    assert figures(ledger)["occupancy"] == pytest.approx(0.8)


def test_what_happens_in_the_warm_up_and_after_the_end_is_not_counted() -> None:
    ledger = live(small([arrival(10, 9000), arrival(999), arrival(1000), arrival(4000)], warm_up=1000, until=5000))
    assert len(ledger.rows) == 4
    assert [row.arrived for row in ledger.measured()] == [1000, 4000]
    assert ledger.accounts["blue-1"].busy_time == 4000  # of the 9000, what lies within
    assert sum(account.assignments for account in ledger.accounts.values()) == 2  # the one from 999 is before it


def test_a_request_that_is_never_served_is_told_and_has_no_wait() -> None:
    ledger = live(small([arrival(10)], turns=[]))
    found = figures(ledger)
    assert (found["unserved"], found["wait_mean"], found["occupancy"]) == (1, None, None)
    assert found["jain.blue"] is None
    assert found["line"] == pytest.approx(0.999)


def test_a_day_without_requests_has_figures_too() -> None:
    found = figures(live(small([])))
    assert (found["requests"], found["abandoned"], found["wait_p95"], found["service_level"]) == (0, None, None, None)


def test_declined_and_expired_offers_are_counted() -> None:
    world = small([arrival(n * 60_000) for n in range(50)], until=HOURS, answers=Answers(declined=0.3, silent=0.2))
    found = figures(live(world))
    assert (found["declined"] or 0) > 5
    assert (found["expired"] or 0) > 5


def test_an_overtake_is_a_first_offer_before_an_older_one_s(monkeypatch: pytest.MonkeyPatch) -> None:
    arrivals = [arrival(10, 900), arrival(10, 1000), arrival(20), arrival(30), arrival(40)]
    assert figures(live(small(arrivals)))["overtakes"] == 0
    monkeypatch.setattr(
        "broker.desk.requests.make_key", lambda t, number, request, boost: make_key(-t, -number, request)
    )
    assert figures(live(small(arrivals)))["overtakes"] == 2  # the last two of three that wait


def test_who_is_handed_on_is_neither_served_nor_gives_up_and_leaves_the_line() -> None:
    overflow = [{"on": "wait", "after_ms": 1000, "to": "y"}, {"on": "wait", "after_ms": 2000}]
    crew = Crew(team="blue", count=2, capacity=1, subportals=("x", "y"))
    puts = crew_puts([crew])
    puts = (*puts, Put("subportal.put", {"subportal": "x", "overflow": overflow[:1]}))
    puts = (*puts, Put("subportal.put", {"subportal": "y", "overflow": overflow[1:]}))
    ledger = live(small([arrival(0, 3000), arrival(0, 3000), arrival(0)]), puts)
    found = figures(ledger)
    assert (found["served"], found["converted"], found["abandoned"], found["unserved"]) == (2, 1, 0, 0)
    assert found["wait_mean"] == 0
    assert found["line"] == pytest.approx(2000 / 10_000)
    ledger = live(small([arrival(0, 1500), arrival(0, 3000), arrival(0, 500), arrival(600)]), puts)
    assert figures(ledger)["overtakes"] == 0  # the older one had gone to the other line
    assert figures(ledger)["served"] == 4


def test_the_work_after_a_session_keeps_its_places_busy() -> None:
    first, *others = PUTS
    ledger = live(small([arrival(0, 1000)]), [Put("portal.put", {**first.args, "wrap_up_ms": 500}), *others])
    assert ledger.accounts["blue-1"].busy_time == 1500


def test_the_error_of_estimates_is_measured_against_the_true_wait() -> None:
    arrivals = [arrival(0, 1000), arrival(0, 2000), arrival(0), arrival(0), arrival(0, patience=50)]
    ledger = live(small(arrivals), told={"third": 1500, "fourth": 1800, "gives up": 9})
    # true waits: 1.0 and 2.0 s; who gave up isn't known
    found = figures(ledger)
    assert found["estimate_error"] == pytest.approx((0.5 - 0.2) / 2)
    assert found["estimate_absolute"] == pytest.approx(0.35)
    assert found["estimate_p90"] == pytest.approx(0.5)


def test_a_quantile_is_the_nearest_rank() -> None:
    ten = list(range(1, 11))
    assert [quantile(ten, share) for share in (0.0, 0.05, 0.5, 0.9, 0.91, 1.0)] == [1, 1, 5, 9, 10, 10]
    assert quantile([], 0.5) is None


def test_runs_are_averaged_with_their_standard_error_and_lags_are_the_greatest() -> None:
    runs: list[Figures] = [
        {"wait_mean": 1.0, "lag.x ~ y": 1.0, "bound.x ~ y": 2.0},
        {"wait_mean": 3.0, "lag.x ~ y": 1.5},
        {"wait_mean": None},
    ]
    found = over_runs(runs)
    assert (found["wait_mean"].mean, found["wait_mean"].error) == (2.0, 1.0)
    assert (found["lag.x ~ y"].mean, found["bound.x ~ y"].mean, found["lag.x ~ y"].error) == (1.5, 2.0, None)
    assert over_runs([{"line": None}])["line"].mean is None


# --- F15 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("m", "least"), [(1, 0.8889), (5, 0.9917), (10, 0.9977)])
def test_f15_counts_that_differ_by_one_are_at_least_this_fair(m: int, least: float) -> None:
    chance = Random(1)
    for people in range(2, 60):
        counts = [m + chance.randint(0, 1) for _ in range(people)]
        found = jain(counts)
        assert found is not None
        assert found >= 4 * m * (m + 1) / (2 * m + 1) ** 2 - 1e-12
        assert found >= least - 5e-5


def test_f15_one_who_has_everything_is_one_nth() -> None:
    assert jain([7, 0, 0, 0]) == 0.25
    assert jain([0, 0]) is None
    assert jain([]) is None


def shared_day(policy: str, handle: Law, load: float, seed: int = 1) -> Ledger:
    """Ten equal representatives, all day long, and 25 sessions for each, at this share of what they can do."""
    crew = Crew(team="blue", count=10, capacity=1, subportals=("x",))
    rate = load * 10 * HOURS / handle.mean
    day = Day(
        traffic=[Traffic(subportal="x", rates=(rate,), handle=handle)],
        representatives=members(crew),
        hours=250 / rate,
    )
    puts = (*crew_puts([crew]), Put("subportal.put", {"subportal": "x", "policy": policy}))
    return live(day.world(seed), puts)


def index(ledger: Ledger) -> float:
    found = figures(ledger)["jain.blue"]
    assert found is not None
    counts = [account.assignments for account in ledger.accounts.values()]
    assert sum(counts) / len(counts) >= 20
    return found


@pytest.mark.parametrize("load", [0.5, 0.8])
@pytest.mark.parametrize("policy", POLICIES)
def test_f15_equal_representatives_with_equal_sessions_share_alike(policy: str, load: float) -> None:
    assert index(shared_day(policy, Deterministic(300 * SECONDS), load)) >= 0.99


@pytest.mark.parametrize("handle", [Exponential(300_000), Lognormal(300_000, 0.8)], ids=["exponential", "lognormal"])
@pytest.mark.parametrize("policy", POLICIES)
def test_f15_equal_representatives_with_random_sessions_share_nearly_alike(policy: str, handle: Law) -> None:
    # Sessions that vary more than exponential ones share less evenly at first: 1 - J is about the square of the ratio
    # of standard deviation and mean, divided by the sessions of each.
    for seed in range(1, 6):
        assert index(shared_day(policy, handle, 0.8, seed)) >= 0.95


class Alphabetical:
    """Always the same ones first."""

    def rank(self, member: Ranked) -> Rank:
        return (0, 0, member.id)


def test_f15_a_policy_that_has_favourites_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(POLICIES, "longest_idle", Alphabetical())
    assert index(shared_day("longest_idle", Deterministic(300 * SECONDS), 0.5)) < 0.99
    assert index(shared_day("longest_idle", Exponential(300_000), 0.5)) < 0.95
