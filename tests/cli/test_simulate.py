"""``huntgroup simulate``: what it prints and writes, what it refuses, and that it repeats itself byte for byte."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from broker.cli import main
from broker.cli.common import Exit
from broker.cli.typed import parse_team
from broker.simulation.day import Crew
from tests.simulation.test_recording import store
from tests.support.builders import offer_id
from tests.support.scene import office

DAY = ("--team", "blue=3x1:x,y", "--arrivals", "x=20", "--arrivals", "y=10", "--hours", "3")
DESK = """
[[portal]]
portal = "line"
kind = "ask"
mode = "queue"
subportals = ["orders", "returns"]

[[portal]]
portal = "page"
kind = "button"
mode = "web"
subportals = ["page"]

[[team]]
team = "blue"
subportals = ["orders", "returns", "page"]

[[representative]]
representative = "ann"
name = "Ann Alder"
team = "blue"
capacity = 2
"""


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Exit code, output, and what was said beside it, of ``huntgroup simulate …``."""
    try:
        code = main(["simulate", *argv])
    except SystemExit as ended:
        code = int(ended.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def document(capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    """What ``--json`` prints."""
    code, out, err = run(capsys, *argv, "--json")
    assert code == Exit.OK, err
    return json.loads(out)


def test_a_day_prints_a_table_and_says_how_fast_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "day", *DAY)
    assert code == Exit.OK
    assert out.startswith("a made-up day of 3 h, seed 1\n")
    for label in ("requests", "mean wait", "wait p95", "served within 20 s", "occupancy", "Jain index of team blue"):
        assert f"\n{label}  " in out
    assert "greatest lag of x ~ y" in out
    assert err.startswith("simulated ")
    assert err.endswith(" a second\n")


def test_changes_add_a_second_side(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "day", *DAY, "--set", "subportal.x.weight=3", "--capacity", "blue-1=2", "--runs", "2")
    assert "seeds 1 to 2" in out
    assert "after: subportal.x.weight=3, representative.blue-1.capacity=2\n" in out
    assert " before " in out
    assert "±" in out
    found = document(capsys, "day", *DAY, "--capacity", "blue-1=4")
    assert found["change"]["wait_mean"]["mean"] < 0
    assert found["before"]["requests"] == found["after"]["requests"]


def test_a_service_level_of_one_s_own_counts(capsys: pytest.CaptureFixture[str]) -> None:
    strict = document(capsys, "day", *DAY, "--service-level", "1")["now"]["service_level"]["mean"]
    loose = document(capsys, "day", *DAY, "--service-level", "3600")["now"]["service_level"]["mean"]
    assert strict < loose == 1


def test_a_day_may_be_that_of_a_desk_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(DESK)
    found = document(
        capsys, "day", "--desk", str(path), "--arrivals", "orders=10", "--set", "subportal.orders.weight=2"
    )
    assert set(found["now" if "now" in found else "after"]) >= {"jain.blue"}
    code, _, err = run(capsys, "day", "--desk", str(path), "--arrivals", "page=10")
    assert code == Exit.USAGE
    assert "--arrivals page: expected a sub-portal in queue mode: orders, returns" in err
    code, _, err = run(capsys, "day", "--desk", str(tmp_path / "none.toml"), "--arrivals", "orders=10")
    assert code == Exit.USAGE


def test_laws_patience_shifts_and_answers_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--handle", "deterministic:600", "--handle", "y=exponential:60", "--patience", "exponential:60"]
    options += ["--patience", "y=never", "--shift", "blue=0-2", "--shift", "blue-1=1-2", "--warm-up", "30"]
    options += ["--answer", "exponential:2", "--declined", "0.1", "--silent", "0.1"]
    found = document(capsys, "day", *DAY, *options)["now"]
    assert found["abandoned"]["mean"] > 0.1
    assert found["declined"]["mean"] > 0
    assert found["expired"]["mean"] > 0
    assert found["unserved"]["mean"] > 0  # y waits for ever, and everybody has gone home


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (("--arrivals", "x=1,2"), "one number or 24"),
        (("--handle", "gamma:3"), "expected exponential:MEAN"),
        (("--handle", "never"), "expected exponential:MEAN"),
        (("--handle", "nope=exponential:3"), "--handle nope: expected a sub-portal in queue mode"),
        (("--patience", "nope=never"), "--patience nope: expected a sub-portal in queue mode"),
        (("--arrivals", "x=5"), "--arrivals: each sub-portal once"),
        (("--arrivals", "nope=5"), "--arrivals nope: expected a sub-portal in queue mode: x, y"),
        (("--shift", "nope=9-17"), "--shift nope: expected a team or a representative"),
        (("--shift", "blue=9"), "expected hours such as 9-17"),
        (("--declined", "2"), "expected a number from 0 to 1"),
        (("--declined", "0.5", "--silent", "0.5"), "below 1"),
        (("--hours", "0"), "expected a number above 0"),
        (("--warm-up", "180"), "--warm-up: nothing would be left"),
        (("--runs", "0"), "expected a number from 1"),
        (("--service-level", "x"), "expected a number from 1"),
        (("--set", "subportal.x"), "expected subportal.NAME.FIELD=VALUE"),
        (("--set", "subportal.x.weight=0"), "args.weight: expected an int from 1 to 100"),
        (("--set", "subportal.x.nope=0"), "subportal.put has no field nope"),
        (("--capacity", "blue-1"), "expected REPRESENTATIVE=NUMBER"),
        (("--capacity", "zoe=1"), "there is no representative zoe"),
        (("--desk", "desk.toml"), "not allowed with argument --team"),
    ],
)
def test_what_is_mistyped_is_told_and_nothing_runs(
    argv: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "day", *DAY, *argv)
    assert (code, out) == (Exit.USAGE, "")
    assert told in err


def test_a_team_is_so_many_of_that_capacity() -> None:
    assert parse_team("blue=5x2:x,y") == Crew(team="blue", count=5, capacity=2, subportals=("x", "y"))
    assert parse_team("blue=5:x").capacity == 1
    for wrong in ("", "blue", "blue=5", "blue=x2:x", "blue=5x:", "=5:x", "blue=5xx:x"):
        with pytest.raises(ValueError, match="expected NAME=COUNTxCAPACITY:SUBPORTALS"):
            parse_team(wrong)


def test_a_team_that_no_desk_would_take_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "day", "--team", "Blue!=2:x", "--arrivals", "x=5")
    assert code == Exit.USAGE
    assert "team.put Blue!: args.team: expected a name" in err


# --- a recorded one ------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> str:
    """A data folder with a short day of the account acme."""
    scene = office("ann")
    first = scene.assign("one", "ann")
    scene.ask("two")
    scene.pass_time(60_000)
    scene.end(first)
    second = scene.accept(offer_id("two"), "ann")
    scene.pass_time(30_000)
    scene.end(second)
    store(tmp_path, scene.records)
    return str(tmp_path)


def test_a_recorded_day_is_compared_with_another_capacity(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "journal", "acme", "--data", data, "--capacity", "ann=2")
    assert found["title"] == "2 recorded requests of acme, seed 1"
    assert found["before"]["wait_mean"]["mean"] == 30
    assert found["after"]["wait_mean"]["mean"] == 0


def test_what_is_not_recorded_is_told(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    for argv, told in [
        (("umbrella", "--data", data), "has no account umbrella"),
        (("acme", "--data", f"{data}/nowhere"), "there is no journal in"),
        (("acme", "--data", data, "--set", "subportal.nope.weight=2"), "there is no subportal nope"),
    ]:
        code, _, err = run(capsys, "journal", *argv)
        assert (code, told in err) == (Exit.USAGE, True), err


# --- files, and what may be missing --------------------------------------------------------------


def test_out_gets_a_page_the_figures_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "out"
    found = document(capsys, "day", *DAY, "--out", str(folder))
    assert sorted(path.name for path in folder.iterdir()) == ["figures.json", "index.html", "plot.png"]
    assert json.loads((folder / "figures.json").read_text()) == found
    assert "<svg" in (folder / "index.html").read_text()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    code, out, err = run(capsys, "day", *DAY, "--out", str(tmp_path / "file"))
    assert code == Exit.USAGE
    assert "requests" in out  # the table is there all the same
    assert "can't be written to" in err


@contextmanager
def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> Iterator[None]:
    """As if these weren't installed."""
    with monkeypatch.context() as patch:
        for name in [name for name in sys.modules if name.split(".")[0] in modules]:
            patch.delitem(sys.modules, name)
        patch.delitem(sys.modules, "broker.simulation.plots", raising=False)
        patch.delattr("broker.simulation.plots", raising=False)
        patch.setattr(sys, "path", [])
        patch.setattr(sys, "meta_path", [_Missing(modules), *sys.meta_path])
        yield


class _Missing:
    """An importer that knows that some modules aren't there."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def find_spec(self, name: str, *_more: object) -> None:
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_without_matplotlib_there_is_everything_but_the_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with without(monkeypatch, "matplotlib"):
        code, out, err = run(capsys, "day", *DAY, "--out", str(tmp_path))
    assert code == Exit.OK
    assert "mean wait" in out
    assert "no plots, as matplotlib is missing; to have them: pip install 'huntgroup[simulate]'\n" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures.json", "index.html"]


class Terminal:
    """A standard error that a person looks at."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return True


def test_a_bar_is_for_terminals_alone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "requests/s" not in run(capsys, "day", *DAY)[2]
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        main(["simulate", "day", *DAY])
    assert "requests/s" in terminal.text
    quiet = Terminal()
    with without(monkeypatch, "tqdm"), monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", quiet)
        main(["simulate", "day", *DAY])
    assert quiet.text.startswith("simulated ")


@pytest.mark.slow
def test_the_same_seed_makes_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    made = []
    for hash_seed in ("1", "2"):
        folder = tmp_path / hash_seed
        options = ["--set", "subportal.x.weight=2", "--runs", "2", "--declined", "0.2", "--out", str(folder)]
        done = subprocess.run(
            [sys.executable, "-m", "broker", "simulate", "day", *DAY, *options],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        )
        made.append([done.stdout, *(path.read_bytes() for path in sorted(folder.iterdir()))])
    assert made[0] == made[1]
    assert len(made[0]) == 4
