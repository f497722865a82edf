"""A recorded day is lived through again as it was; what nobody saw of it is drawn from what was seen."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from broker.desk.desk import Desk
from broker.desk.events import pack_body
from broker.desk.outcome import Recorded
from broker.journal.base import Append, CorruptJournal, JournalUnavailable, Record
from broker.journal.inspect import NoSuchAccount
from broker.journal.sqlite import SqliteStore
from broker.protocol import ops
from broker.protocol.codec import pack_value
from broker.simulation import recording
from broker.simulation.day import Crew, Day, Traffic, crew_puts, members
from broker.simulation.engine import Simulation
from broker.simulation.laws import Exponential, Sample
from broker.simulation.ledger import Ledger, Row
from broker.simulation.puts import Put, SettingError
from broker.simulation.setting import configuration
from broker.simulation.world import Answers, Arrival, Turn, World
from broker.units import HOURS, SECONDS
from tests.support import builders
from tests.support.builders import START, offer_id, request_id
from tests.support.scene import Scene, office

CREW = Crew(team="blue", count=4, capacity=1, subportals=("x", "y"))
PUTS = (*crew_puts([CREW]), Put("subportal.put", {"subportal": "x", "weight": 2, "policy": "round_robin"}))


def store(folder: Path, records: Sequence[Recorded]) -> Path:
    """A journal file with these records of the account acme."""
    path = folder / "journal.sqlite"
    rows = [
        Record(seq, one.event.TYPE, one.event.VERSION, one.t, pack_value(pack_body(one.event)), one.entries)
        for seq, one in enumerate(records, 1)
    ]
    with closing(SqliteStore(path)) as made:
        made.append(made.open_epoch(), [Append("acme", 0, rows)])
    return path


def read(folder: Path, scene: Scene) -> recording.Recording:
    """What a scene's journal says."""
    return recording.read(store(folder, scene.records), "acme")


def live(world: World, puts: Sequence[Put], seed: int = 1) -> list[Row]:
    """The rows of a run."""
    ran = Simulation(world, puts, seed, watchers=lambda desk, world: (Ledger(desk, world),))
    ran.run()
    (ledger,) = ran.watchers
    assert isinstance(ledger, Ledger)
    return list(ledger.rows.values())


def shown(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    """What customers and representatives saw; times from the first customer on."""
    first = rows[0].arrived
    return [(row.subportal, row.arrived - first, row.waited, row.outcome, row.representative) for row in rows]


def record(monkeypatch: pytest.MonkeyPatch, world: World, puts: Sequence[Put]) -> tuple[list[Recorded], list[Row]]:
    """All records of a run, its configuration's first, and its rows."""
    records: list[Recorded] = []
    recording_one = Desk._record

    def keeping(desk: Desk, event: object, now: int) -> Recorded:
        made = recording_one(desk, event, now)  # type: ignore[arg-type]  # as it comes
        records.append(made)
        return made

    with monkeypatch.context() as patch:
        patch.setattr(Desk, "_record", keeping)
        rows = live(world, puts)
    return records, rows


def test_before_is_what_was_recorded_request_for_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traffic = [
        Traffic(subportal=name, rates=(30.0,), handle=Exponential(240_000), patience=Exponential(120_000))
        for name in "xy"
    ]
    shifts = {"blue-3": [(0.5, 2.5)], "blue-4": [(1.0, 3.0)]}
    day = Day(traffic=traffic, representatives=members(CREW), shifts=shifts, hours=4)
    records, then = record(monkeypatch, day.world(1), PUTS)
    found = recording.read(store(tmp_path, records), "acme")
    again = live(found.world(7), found.puts)
    assert {row.outcome for row in then} == {"closed", "withdrawn"}
    assert shown(again) == shown(then)
    assert found.left_out == 0
    assert found.answers == Answers(latency=found.answers.latency)
    assert found.answers.latency.mean == 0


def test_skills_classes_names_and_the_work_after_sessions_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal, *others = PUTS
    classes, skills = [{"class": "gold", "boost_ms": 1000}], [{"skill": "french", "level": 1, "asked": True}]
    puts = (
        Put("portal.put", {**portal.args, "wrap_up_ms": 9000, "classes": classes}),
        *others,
        Put("subportal.put", {"subportal": "x", "skills": skills}),
    )
    arrivals = [
        Arrival(t=0, subportal="x", handle=1000, patience=None, visitor="ann"),
        Arrival(t=0, subportal="x", handle=1000, patience=None),
        Arrival(t=5, subportal="x", handle=9, patience=7000, skills=("french",), class_="gold", visitor="bo"),
    ]
    turns = [Turn(0, name, available=True) for name in members(CREW)]
    world = World(start=START, until=HOURS, arrivals=arrivals, turns=turns, answers=Answers(wrap_up=Sample((3000,))))
    records, then = record(monkeypatch, world, puts)
    found = recording.read(store(tmp_path, records), "acme")
    one, _, three = found.world(1).arrivals
    assert (one.skills, one.class_, one.visitor) == ((), None, "ann")
    assert (three.skills, three.class_, three.visitor, three.patience) == (("french",), "gold", "bo", 7000)
    assert found.answers.wrap_up == Sample((3000, 3000))
    assert shown(live(found.world(1), found.puts)) == shown(then)


def test_the_configuration_in_force_is_the_last_one(tmp_path: Path) -> None:
    scene = office("ann", capacity=2)
    scene.ask("one")
    scene.portal("help", "ask", "queue", "help", "more")
    found = read(tmp_path, scene)
    assert found.puts == configuration(scene.desk)


def test_handle_times_are_those_of_the_sessions(tmp_path: Path) -> None:
    scene = office("ann", "bo")
    session = scene.assign("one", "ann")
    scene.pass_time(60 * SECONDS)
    scene.end(session)
    found = read(tmp_path, scene)
    (arrival,) = found.world(1).arrivals
    assert (arrival.t, arrival.handle, arrival.subportal) == (0, 60 * SECONDS, "help")
    assert found.handles.mean == 60 * SECONDS


def test_a_session_that_was_handed_back_counts_both_parts(tmp_path: Path) -> None:
    scene = office("ann", "bo")
    scene.assign("one", "ann")
    scene.pass_time(10 * SECONDS)
    scene.set("ann", "offline", sessions="hand_back")
    session = scene.accept(offer_id("one", 2), "bo")
    scene.pass_time(5 * SECONDS)
    scene.end(session)
    (arrival,) = read(tmp_path, scene).world(1).arrivals
    assert arrival.handle == 15 * SECONDS


def test_who_gave_up_keeps_its_patience_and_who_was_served_has_more_than_its_wait(tmp_path: Path) -> None:
    scene = office("ann")
    first = scene.assign("one", "ann")
    for name in ("two", "three"):
        scene.ask(name)
    scene.pass_time(20 * SECONDS)
    give_up(scene, "two")
    scene.pass_time(10 * SECONDS)
    scene.end(first)
    scene.accept(offer_id("three"), "ann")
    scene.pass_time(1 * SECONDS)
    one, two, three = read(tmp_path, scene).world(1).arrivals
    assert read_told(tmp_path) == "recorded: 33.33 % abandoned, mean wait 16.7 s, wait p95 30.0 s"
    assert one.patience in (20 * SECONDS, None)
    assert two.patience == 20 * SECONDS
    assert three.patience is None  # it waited 30 s, and nobody is known to give up after that
    assert three.handle >= 1 * SECONDS  # it still talks: drawn, and no shorter than what was seen


def read_told(folder: Path) -> str:
    return recording.read(folder / "journal.sqlite", "acme").told()


def give_up(scene: Scene, name: str) -> None:
    """The customer withdraws."""
    scene.ok(ops.RequestWithdraw(request_id(name)), builders.customer(name))


def test_presence_is_what_took_offers_lost_connections_included(tmp_path: Path) -> None:
    scene = office("ann", "bo")
    scene.ask("one")
    scene.pass_time(1000)
    scene.set("ann", "away")
    scene.pass_time(1000)
    scene.lose("bo")
    scene.pass_time(1000)
    scene.back("bo")
    scene.set("ann", "available")
    scene.pass_time(1000)
    scene.restart()
    found = [(turn.t, turn.representative, turn.available) for turn in read(tmp_path, scene).turns]
    assert found == [
        (0, "ann", True),
        (0, "bo", True),
        (1000, "ann", False),
        (2000, "bo", False),
        (3000, "bo", True),
        (3000, "ann", True),
        (4000, "ann", False),
        (4000, "bo", False),
    ]


def test_answers_are_drawn_from_what_was_seen(tmp_path: Path) -> None:
    scene = office("ann")
    for name in ("one", "two", "three"):
        scene.ask(name)
        scene.pass_time(4 * SECONDS)
        scene.end(scene.accept(offer_id(name), "ann"))
    scene.ask("four")
    scene.pass_time(25 * SECONDS)
    answers = read(tmp_path, scene).answers
    assert (answers.silent, answers.declined) == (0.25, 0.0)
    assert answers.latency.draw(Random(1)) == 4 * SECONDS


def test_what_no_queue_handed_out_is_left_out_and_counted(tmp_path: Path) -> None:
    scene = office("ann")
    scene.portal("open", "button", "web")
    scene.team("blue", "help", "open")
    scene.ask("one")
    scene.ask("two", "open")
    found = read(tmp_path, scene)
    assert (len(found.seen), found.left_out) == (1, 1)


def test_who_was_handed_on_did_not_give_up(tmp_path: Path) -> None:
    scene = office()
    scene.ok(ops.SubportalPut("help", overflow=[{"on": "wait", "after_ms": 5000}]), builders.manager())
    scene.ask("one")
    scene.pass_time(20 * SECONDS)
    found = read(tmp_path, scene)
    (one,) = found.world(1).arrivals
    assert one.patience is None
    assert found.told() == "recorded: nobody was served, and nobody gave up"
    assert live(found.world(1), found.puts)[0].outcome == "converted"


def test_the_time_begins_with_the_first_person(tmp_path: Path) -> None:
    scene = office()
    scene.pass_time(90 * SECONDS)
    scene.ask("one")
    scene.pass_time(5 * SECONDS)
    scene.staff("blue", "ann")
    found = read(tmp_path, scene)
    assert found.start == START + 90 * SECONDS
    assert [turn.t for turn in found.turns] == [5 * SECONDS]
    assert [arrival.t for arrival in found.world(1).arrivals] == [0]
    assert found.told() == "recorded: nobody was served, and nobody gave up"


def test_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    scene = office("ann")
    for name in ("one", "two", "three"):
        scene.ask(name)
        scene.pass_time(1000)
    give_up(scene, "two")
    found = read(tmp_path, scene)
    assert found.world(3) == found.world(3)


def test_a_journal_without_a_queue_has_nothing_to_simulate(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no request of acme in queue mode"):
        read(tmp_path, office("ann"))


def test_another_account_or_no_journal_is_told(tmp_path: Path) -> None:
    path = store(tmp_path, office("ann").records)
    with pytest.raises(NoSuchAccount, match="has no account umbrella"):
        recording.read(path, "umbrella")
    with pytest.raises(JournalUnavailable):
        recording.read(tmp_path / "nothing.sqlite", "acme")


def test_a_record_that_this_release_does_not_know_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with closing(SqliteStore(path)) as made:
        strange = Record(1, "thing.happened", 1, START, pack_value(("x", 1)), (("account", 1, "thing"),))
        made.append(made.open_epoch(), [Append("acme", 0, [strange])])
    with pytest.raises(CorruptJournal, match="record 1 can't be read"):
        recording.read(path, "acme")
