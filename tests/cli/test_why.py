"""``huntgroup why`` on a real file: what it prints, and what its exit codes say."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from broker.cli import main
from broker.cli.common import Exit
from broker.desk.events import pack_body
from broker.desk.outcome import Recorded
from broker.journal.base import Append, Record
from broker.journal.sqlite import SqliteStore
from broker.protocol import ops
from broker.protocol.codec import pack_value
from broker.routing import policies
from broker.units import SECONDS
from tests.support.builders import manager, offer_id, representative, request_id
from tests.support.scene import Scene, office


def _scene() -> Scene:
    scene = office("ann", "bo")
    scene.portal("other", "ask", "queue")
    scene.team("blue", "help", "other")
    scene.ok(ops.SubportalPut("other", skills=[{"skill": "german", "level": 1}]), manager())
    scene.ask("gert", "other")
    scene.ask("carl")
    scene.ok(ops.OfferDecline(offer_id("carl"), "busy"), representative("ann"))
    scene.ok(ops.OfferDecline(offer_id("carl", 2), "busy"), representative("bo"))
    scene.pass_time(11 * SECONDS)
    return scene


def _stored(number: int, record: Recorded) -> Record:
    body = pack_value(pack_body(record.event))
    return Record(number, record.event.TYPE, record.event.VERSION, record.t, body, record.entries)


def _write(folder: Path, records: Sequence[Record]) -> None:
    folder.mkdir()
    with closing(SqliteStore(folder / "journal.sqlite")) as store:
        store.append(store.open_epoch(), [Append("acme", 0, records)])


@pytest.fixture
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "data", [_stored(number, record) for number, record in enumerate(_scene().records, 1)])


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(["why", *argv, "--data", "data"])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.usefixtures("_data")
def test_each_decision_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "acme", request_id("carl"))
    assert code == Exit.OK
    first, second, paused, third = out.strip().split("2023-")[1:]
    assert f"offer.made  {offer_id('carl')} → ann" in first
    assert "  at place 1 of help, class normal\n" in first
    assert "  rule least_occupied, decided by id\n    ann: occupied 0.0, idle_since " in first
    assert "  turns among help (given 0), other (given 0): help\n" in first.replace(
        "other (given 0), help (given 0)", "help (given 0), other (given 0)"
    )
    assert "    ann: refused it in this round\n" in second
    assert "round.paused" in paused
    assert f"{offer_id('carl', 3)} → " in third


@pytest.mark.usefixtures("_data")
def test_one_offer_is_told_alone_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "acme", offer_id("carl", 2), "--json")
    (told,) = map(json.loads, out.splitlines())
    assert (code, told["representative"], told["agrees"]) == (Exit.OK, "bo", True)


@pytest.mark.usefixtures("_data")
def test_a_request_that_only_waits_is_said_to(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "acme", request_id("gert"))
    assert (code, out.startswith("nothing has been decided for")) == (Exit.OK, True)
    assert run(capsys, "acme", request_id("gert"), "--json")[:2] == (Exit.OK, "")


@pytest.mark.usefixtures("_data")
def test_what_is_not_there_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "nobody", "r_x")[0] == Exit.USAGE
    code, out, err = run(capsys, "acme", "r_x")
    assert (code, out, err) == (Exit.USAGE, "", "huntgroup: account acme has no request r_x\n")


def test_a_record_of_a_later_release_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "data", [Record(1, "thing.happened", 1, 1, pack_value(("x",)), ())])
    code, _, err = run(capsys, "acme", "r_x")
    assert (code, err.count("\n")) == (Exit.FAILED, 1)
    assert "can't be read" in err


@pytest.mark.usefixtures("_data")
def test_rules_that_would_decide_otherwise_are_noticed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = policies.LeastOccupied.rank

    def backwards(self: policies.LeastOccupied, member: policies.Ranked) -> policies.Rank:
        return (real(self, member)[0], -member.idle_since, "b" if member.id == "ann" else "a")

    monkeypatch.setattr(policies.LeastOccupied, "rank", backwards)
    code, out, _ = run(capsys, "acme", offer_id("carl"))
    assert code == Exit.FAILED
    assert "(this release would decide otherwise)" in out


def test_who_left_since_is_called_by_the_pseudonym(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    scene = _scene()
    former = scene.ok(ops.RepresentativeDelete("ann"), manager()).value["former"]
    _write(tmp_path / "data", [_stored(number, record) for number, record in enumerate(scene.records, 1)])
    code, out, _ = run(capsys, "acme", request_id("carl"))
    assert code == Exit.OK
    assert re.search(r"\bann\b", out) is None
    assert f"offer.made  {offer_id('carl')} → {former}" in out
    _, out, _ = run(capsys, "acme", request_id("carl"), "--json")
    assert '"ann"' not in out
