"""Provisioning a running broker: export, apply, and representatives from CSV."""
# covers: broker/cli/apply.py broker/cli/export.py broker/cli/representatives.py broker/cli/remote.py

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from broker.cli import apply, parser, remote
from broker.cli.common import TOKEN_VARIABLE, CheckError, Exit
from broker.codes import Code
from broker.config.plan import Plan, Step
from clients.python.client import open_client
from clients.python.errors import Quota
from clients.python.settings import Auth
from tests.cli.conftest import Run, Served
from tests.support.desk_file import FILE

pytestmark = pytest.mark.slow


def test_what_is_exported_changes_nothing_and_makes_an_empty_account_the_same(served: Served, run: Run) -> None:
    code, text, _ = run("export", *served.auth("one"))
    assert code == Exit.OK
    assert run("export", *served.auth("one"), "-o", "out.toml") == (
        Exit.OK,
        "",
        "huntgroup: the account is in out.toml\n",
    )
    file = Path("out.toml")
    assert file.read_text() == text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    code, out, _ = run("apply", file, *served.auth("one"))
    assert (code, out.splitlines()[-1]) == (Exit.OK, "account one is as out.toml has it: nothing to do")
    before = served.auth("empty", "boss")
    code, out, _ = run("apply", file, *before, "--yes")
    assert code == Exit.OK
    assert "+ representative ann\n" in out
    assert out.endswith("8 to add, 1 to change, 0 to delete\napplied: 9\n")
    assert run("apply", file, *served.auth("empty"))[:2] == (
        Exit.OK,
        "account empty is as out.toml has it: nothing to do\n",
    )
    assert run("export", *served.auth("empty"))[1] == text.replace("account one", "account empty")


def test_a_difference_is_shown_and_applied_once_and_pruned_when_asked(served: Served, run: Run) -> None:
    auth = served.auth("two")
    changed = FILE.replace("capacity = 2", "capacity = 3").replace("Ann Alder", "Anna Alder")
    Path("desk.toml").write_text(changed + '[[team]]\nteam = "day"\nparent = "first"\nsubportals = []\n')
    shown = "+ team day\n~ representative ann: name changed, capacity 2 -> 3\n"
    code, out, _ = run("apply", "desk.toml", *auth, "--dry-run")
    assert code == Exit.OK
    assert out.startswith(shown)
    code, out, err = run("apply", "desk.toml", *auth)
    assert code == Exit.USAGE
    assert "nobody is here to be asked: --yes applies it" in err
    assert run("apply", "desk.toml", *auth, "--yes")[1].endswith("applied: 2\n")
    assert "nothing to do" in run("apply", "desk.toml", *auth)[1]
    Path("desk.toml").write_text(changed)
    assert "nothing to do" in run("apply", "desk.toml", *auth)[1]
    code, out, _ = run("apply", "desk.toml", *auth, "--prune", "--yes")
    assert code == Exit.OK
    assert "- team day\n" in out
    assert "nothing to do" in run("apply", "desk.toml", *auth, "--prune")[1]


def test_pruning_people_is_no_api_managers_and_is_said_before_anything_is_done(served: Served, run: Run) -> None:
    Path("desk.toml").write_text(FILE[: FILE.index("[[service]]")].replace("capacity = 2", "capacity = 7"))
    code, _, err = run("apply", "desk.toml", *served.auth("three"), "--prune", "--yes")
    assert code == Exit.USAGE
    assert "service.delete is for account manager" in err
    Path("desk.toml").write_text(FILE)
    assert "nothing to do" in run("apply", "desk.toml", *served.auth("three"))[1]


def test_who_is_not_asked_to_agree_does_nothing(served: Served, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("desk.toml").write_text(FILE.replace("capacity = 2", "capacity = 9"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    said: list[str] = []

    def answer(question: str) -> str:
        said.append(question)
        return "no"

    monkeypatch.setattr("builtins.input", answer)
    code, _, err = run("apply", "desk.toml", *served.auth("four"))
    assert (code, err) == (Exit.FAILED, "huntgroup: nothing was done\n")
    assert said == ["Apply that to account four? [yes/no] "]
    monkeypatch.setattr("builtins.input", lambda question: " YES ")
    assert run("apply", "desk.toml", *served.auth("four"))[1].endswith("applied: 1\n")


def test_who_may_not_is_told_so_plainly(served: Served, run: Run) -> None:
    code, _, err = run("export", *served.auth("four", "boss"))
    assert code == Exit.FAILED
    assert err.startswith("huntgroup: boss may not export the account: account.export is for API manager")
    Path("desk.toml").write_text(FILE.replace('["audit"]', '["events"]'))
    code, _, err = run("apply", "desk.toml", *served.auth("four"), "--yes")
    assert code == Exit.USAGE
    assert "desk.toml: service[0]: service.put is for account manager, not for an API manager" in err
    for person, role, told in (
        ("tim", "manager", "tim is a team manager: this takes an API manager, whom an account manager makes"),
        ("boss", "manager", "boss is an account manager: this takes an API manager"),
        ("ann", "representative", "ann is a representative: this takes"),
    ):
        code, _, err = run("apply", "desk.toml", *served.auth("four", person, role), "--yes")
        assert code == Exit.USAGE
        assert told in err


def test_whose_credential_opens_nothing_is_told_so(served: Served, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("desk.toml").write_text(FILE)
    where = ("apply", "desk.toml", "--server", served.url)
    code, _, err = run(*where)
    assert (code, err.startswith("huntgroup: as whom? Give --key-file")) == (Exit.USAGE, True)
    monkeypatch.setenv(TOKEN_VARIABLE, served.token("four", "robot"))
    assert run(*where, "--dry-run")[0] == Exit.OK
    code, _, err = run(*where, "--key", "hg_aaaaaaaaaa_bbbb")
    assert code == Exit.USAGE
    assert f"{served.url} lets nobody in with that" in err
    Path("key").write_text(served.token("four", "robot") + "\nand a remark")
    assert run(*where, "--key-file", "key", "--dry-run")[0] == Exit.OK
    Path("key").write_bytes(b"\xff")
    assert "key can't be read: it is not UTF-8" in run(*where, "--key-file", "key")[2]
    assert "none can't be read" in run(*where, "--key-file", "none")[2]
    code, _, err = run("apply", "desk.toml", "--server", "http://127.0.0.1:1", "--key", "k")
    assert code == Exit.UNREACHABLE


async def _key(served: Served) -> str:
    async with open_client(served.url, Auth(token=served.token("four", "boss"))) as boss:
        return str((await boss.call("key.create", {"person": "robot"}))["secret"])


def test_an_api_key_in_a_file_opens_the_account(served: Served, run: Run) -> None:
    Path("api.key").write_text(trio.run(_key, served) + "\n")
    code, out, _ = run("export", "--server", served.url, "--key-file", "api.key")
    assert (code, out.count("[[representative]]")) == (Exit.OK, 1)


# --- representatives import -----------------------------------------------------------------------------


def test_representatives_come_from_a_sheet_once(served: Served, run: Run) -> None:
    auth = served.auth("three")
    Path("new.csv").write_text(
        "representative,name,email,capacity,skills\nann,,,5,\ncleo,Cleo,c@example.org,,german:5\n"
    )
    what = ("representatives", "import", "new.csv", *auth, "--team", "first")
    shown = "~ representative ann: capacity 2 -> 5\n+ representative cleo\n1 to add, 1 to change, 0 to delete\n"
    assert run(*what, "--dry-run") == (Exit.OK, shown, "")
    assert run(*what, "--yes") == (Exit.OK, f"{shown}applied: 2\n", "")
    assert run(*what) == (Exit.OK, "account three has new.csv already: nothing to do\n", "")
    exported = run("export", *auth)[1]
    assert 'name = "Ann Alder"\nteam = "night"\ncapacity = 5\n' in exported
    assert 'email = "ann@example.org"' in exported


def test_a_wrong_sheet_applies_nothing(served: Served, run: Run) -> None:
    auth = served.auth("three")
    before = run("export", *auth)[1]
    Path("new.csv").write_text("representative,name,capacity,team\ndan,Dan,1,first\neve,Eve,0,first\n")
    code, out, err = run("representatives", "import", "new.csv", *auth, "--yes")
    assert (code, out) == (Exit.USAGE, "")
    assert err.startswith("huntgroup: new.csv: line 3, capacity: expected an int from 1")
    Path("new.csv").write_text("representative,name,capacity,team\ndan,Dan,1,first\neve,Eve,1,frist\n")
    code, out, err = run("representatives", "import", "new.csv", *auth, "--yes")
    assert err == "huntgroup: new.csv: line 3, team: expected the name of a team\n"
    assert run("export", *auth)[1] == before


def test_an_invitation_that_can_not_be_sent_is_told(served: Served, run: Run) -> None:
    auth = served.auth("three")
    Path("new.csv").write_text("representative,name,email,team\nfay,Fay,fay@example.org,first\n")
    code, out, err = run("representatives", "import", "new.csv", *auth, "--invite", "--yes")
    assert (code, out) == (Exit.FAILED, "+ representative fay\n1 to add, 0 to change, 0 to delete\napplied: 1\n")
    assert "only 0 of 1 links were sent: fay: this broker sends no e-mail" in err
    assert run("representatives", "import", "new.csv", *auth, "--invite")[0] == Exit.OK, "nobody is new now"


# --- half way -------------------------------------------------------------------------------------------


@attrs.define
class Stubborn:
    """A client whose broker takes so many operations and no more."""

    most: int
    done: list[str] = attrs.Factory(list)
    at_once: int = 0
    most_at_once: int = 0

    async def call(self, op: str, args: dict[str, Any]) -> None:
        """One operation."""
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await trio.lowlevel.checkpoint()
        self.at_once -= 1
        if len(self.done) >= self.most:
            raise Quota(Code.QUOTA, "no more", op=op)
        self.done.append(str(args["team"]))


def stages(*names: Iterator[str] | list[str]) -> Plan:
    steps = [
        tuple(Step("+", "team", name, "team.put", {"team": name}, f"team {name}") for name in stage) for stage in names
    ]
    return Plan(stages=tuple(steps))


async def test_a_failure_half_way_says_what_is_done_and_begins_no_later_stage() -> None:
    client = Stubborn(3)
    found = stages(["a", "b"], ["c", "d", "e"], ["f"])
    with pytest.raises(
        CheckError, match=r"team [cde]: team\.put: no more \(2\d+\); 3 of 6 steps are done, and applying again"
    ):
        await apply.carry_out(client, found)  # type: ignore[arg-type]  # all that is used of one
    assert len(client.done) == 3
    assert set(client.done[:2]) == {"a", "b"}


async def test_the_steps_of_a_stage_go_out_together_but_never_too_many() -> None:
    client = Stubborn(10_000)
    assert await apply.carry_out(client, stages([f"t{number}" for number in range(600)])) == 600  # type: ignore[arg-type]
    assert client.most_at_once == apply.AT_ONCE
    client = Stubborn(10_000)
    assert await apply.carry_out(client, stages(["a"], ["b"], ["c"])) == 3  # type: ignore[arg-type]
    assert (client.done, client.most_at_once) == (["a", "b", "c"], 1)


def test_a_plan_is_shown_without_anything_that_a_terminal_obeys() -> None:
    plan = attrs.evolve(stages(["a"]), notes=("odd \x1b[2J note",))
    assert [re.sub("[^ -~]", "?", line) for line in apply.shown(plan)] == [
        "+ team a",
        "= odd ?[2J note",
        "1 to add, 0 to change, 0 to delete",
    ]
    assert remote.NEEDED


def test_every_command_of_the_guide_is_one() -> None:
    guide = (Path(__file__).parents[2] / "docs/how-to/provision.md").read_text(encoding="utf-8")
    commands = [line for line in guide.splitlines() if line.startswith("huntgroup ")]
    assert len(commands) == 6
    for command in commands:
        assert parser().parse_args(shlex.split(command)[1:]).run
