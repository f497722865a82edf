"""``huntgroup demo --check``: every story as it must be, and what differs is found."""

# covers: clients/python/demo_stage.py clients/python/demo_stories.py clients/python/demo_crash.py
# covers: clients/python/demo_rules.py clients/python/demo_entrances.py clients/python/demo_teams.py
# covers: clients/python/demo_people.py clients/python/demo_conversation.py

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from broker.cli import demo as command
from broker.identity import passwords as passwords_of
from broker.protocol.frames import Event, Notice
from clients.python import demo as check
from clients.python import demo_people, demo_stage
from clients.python.client import open_client
from clients.python.demo_crash import crash
from clients.python.demo_stage import DiffersError, Eyes, Stage, must
from clients.python.demo_stories import Story
from clients.python.errors import NoSuch
from clients.python.settings import Auth, Login

NAMES = [story.__name__ for story in check.PLAYED]


def arguments(*, server: str | None = None, data: str | None = None, only: str = "") -> argparse.Namespace:
    return argparse.Namespace(server=server, data=data, only=only, json=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_everybody_sees_what_they_must(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.run(arguments()) == 0
    report = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in report["stories"]] == [*NAMES, crash.__name__]
    assert all(each["saw"] and each["why"] is None for each in report["stories"])


@pytest.mark.slow
def test_a_broker_that_runs_is_checked_with_sign_ins_of_its_data_folder(
    demo: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.run(arguments(server=demo["url"], data=demo["data"], only="by_hand")) == 0
    assert json.loads(capsys.readouterr().out)["played"] == 1


@pytest.mark.slow
def test_without_a_broker_there_is_nothing_to_check(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    args = arguments(server="http://127.0.0.1:1", data=str(tmp_path), only="queue_button")
    assert check.run(args) == check.UNREACHABLE


def test_a_story_that_is_not_there_is_an_error_that_names_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.run(arguments(only="nosuch")) == check.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert "'nosuch'" in told.err
    assert all(name in told.err for name in [*NAMES, crash.__name__])


@pytest.mark.parametrize(
    ("called", "path", "typed"),
    [
        (".venv/bin/huntgroup", "", ".venv/bin/huntgroup"),
        (".venv/bin/huntgroup", ".venv/bin", "huntgroup"),
        ("my env/bin/huntgroup", "", "'my env/bin/huntgroup'"),
        ("x/broker/__main__.py", "", f"{shlex.quote(sys.executable)} -m broker"),
    ],
)
def test_the_commands_that_the_demo_prints_work_as_they_are_printed(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    called: str,
    path: str,
    typed: str,
) -> None:
    program = tmp_path / called
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", path or "nowhere")
    monkeypatch.setattr(sys, "argv", [called, "demo"])
    options = argparse.Namespace(data=str(tmp_path / "data"), host=None, port=None)
    command.announce(command.config_of(options), "http://127.0.0.1:8470", as_json=False)
    told = capsys.readouterr().out
    assert f" {typed} connect customer --portal NAME\n" in told
    assert f" {typed} connect ROLE --token TOKEN\n" in told


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_a_demo_is_for_this_machine_alone_unless_somebody_says_otherwise(host: str) -> None:
    assert command._is_own(host)
    assert not command._is_own("192.0.2.1")


def test_what_the_demo_prints_says_what_it_is_for_and_no_two_folders_have_the_same_passwords(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passwords: list[str] = []
    for folder in ("a", "b", "a"):
        config = command.config_of(argparse.Namespace(data=str(tmp_path / folder), host=None, port=None))
        command.announce(config, "http://x", key="hg_k", as_json=False)
        told = capsys.readouterr().out
        assert "for trying things out" in told
        assert re.search(r"robot +service +hg_k\n", told)
        passwords.append(command.password_of(config, "ann"))
        assert f"  ann    representative   {passwords[-1]}\n" in told
        assert passwords_of.objections(passwords_of.Policy(), passwords[-1], ["ann"]) == []
        command.announce(config, "http://x", key=None, as_json=True)
        people = json.loads(capsys.readouterr().out)["people"]
        assert not any({"password", "key"} & each.keys() for each in people)
    assert passwords[0] == passwords[2] != passwords[1]


def test_a_page_that_says_no_is_told_without_the_password() -> None:
    with pytest.raises(demo_people.PageError) as caught:
        demo_people._choose("http://127.0.0.1:1", "ann", "v1.x.y", "Xsecret-1")
    assert "no password for ann" in str(caught.value)
    assert "Xsecret" not in repr(caught.value)
    assert "Xsecret" not in repr(demo_people.Links({"ann": ("v1.x.y", "Xsecret-1")}))


@pytest.mark.slow
async def test_the_printed_passwords_and_keys_open_the_account(demo: dict[str, Any]) -> None:
    for each in demo["people"]:
        if "key" in each:
            auth = Auth(key=each["key"])
        else:
            auth = Auth(
                login=Login(account="demo", role=each["role"], person=each["person"], password=each["password"])
            )
        async with open_client(demo["url"], auth) as client:
            assert (client.identity.person, client.identity.must_change) == (each["person"], False)


def test_the_commands_of_the_tutorial_work_where_make_run_leaves_one() -> None:
    tutorial = Path(__file__).parents[3] / "docs" / "tutorial" / "first-request.md"
    text = tutorial.read_text(encoding="utf-8")
    commands = re.findall(r"(\S*)huntgroup (?:connect|demo|token|serve)", text)
    assert len(commands) >= 4
    assert {each.strip("`") for each in commands} == {".venv/bin/"}


def test_every_kind_in_every_mode_has_its_story() -> None:
    told = [str(story.__doc__) for story in check.PLAYED]
    for each in (
        "web, pick",
        "web, ask",
        "web, button",
        "phone, pin",
        "phone, global pin",
        "queue, ask",
        "queue, button",
    ):
        assert sum(text.startswith(each) for text in told) == 1


def test_each_story_is_told_in_a_line_of_its_own() -> None:
    about = [str(story.__doc__).strip().split("\n")[0] for story in check.PLAYED]
    assert len(set(about)) == len(about) == len(set(NAMES))
    assert all(line.endswith(".") for line in about)


async def differing(stage: Stage) -> None:
    """A story."""
    stage.tell("kim", "sees something else")
    must("what kim sees", 1, 2)


async def refused(stage: Stage) -> None:
    """A story."""
    raise NoSuch(2404, "no such offer")


async def in_tasks(stage: Stage) -> None:
    """A story."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(differing, stage)
        nursery.start_soon(refused, stage)


@pytest.mark.parametrize(
    ("story", "why"),
    [(differing, "what kim sees: expected 1, got 2"), (refused, "NoSuch: no such offer (2404)"), (in_tasks, "2404")],
)
async def test_what_differs_is_told(story: Story, why: str) -> None:
    lines: list[str] = []
    told = await check._play(story, "http://x", {}, None, lines.append)
    assert told.why is not None
    assert why in told.why
    assert any("DIFFERS" in line for line in lines)


async def test_a_bug_in_a_story_is_no_difference() -> None:
    async def story(stage: Stage) -> None:
        raise KeyError("bug")

    with pytest.RaisesGroup(KeyError):
        await check._play(story, "http://x", {}, None, lambda line: None)


async def test_eyes_wait_for_what_is_not_seen_yet_and_give_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    eyes = Eyes()
    event = Event("me", 1, "offer.made", 1, {"offer": "o_1", "kind": "queue"})
    notice = Notice("me", "r_1", "queue.position", {"position": 2})
    async with trio.open_nursery() as nursery:

        async def later() -> None:
            await trio.sleep(1)
            eyes.see(event)
            eyes.see(notice)

        nursery.start_soon(later)
        assert await eyes.event("offer.made", kind="queue") == event
        assert await eyes.notice("queue.position", position=2) == notice
    assert (eyes.notices("queue.position"), eyes.notices("queue.position", position=3)) == ([notice], [])
    with pytest.raises(DiffersError, match="in vain"):
        await eyes.event("offer.made", kind="direct")
    assert trio.current_time() >= demo_stage.WAIT
