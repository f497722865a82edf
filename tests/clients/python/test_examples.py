"""Every file in examples/ does what it says, against a real broker."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trio

FOLDER = Path(__file__).parents[3] / "examples"
WAIT = 60  # seconds; a hang, not a time to be met

pytestmark = pytest.mark.slow


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"examples_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def a_customer_is_served_by_a_program(demo: dict[str, Any], folder: Path) -> None:
    names: list[str] = []

    async def ask() -> None:
        names.append(await example("ask_for_help").ask(demo["url"], "demo/queue-ask", "The lamp blinks"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        assert await example("answer_everybody").answer(demo["url"], demo["tokens"]["ann"], 1) == 1
    assert names == ["Ann Alder"]


async def an_account_is_set_up_once(demo: dict[str, Any], folder: Path) -> None:
    set_up = example("set_up_account").set_up
    assert await set_up(demo["url"], demo["tokens"]["mia"]) == [True, True, True, True]
    assert await set_up(demo["url"], demo["tokens"]["mia"]) == [False, False, False, False]


async def an_account_is_followed_from_where_one_was(demo: dict[str, Any], folder: Path) -> None:
    follow, token, place = example("follow_account").follow, demo["tokens"]["robot"], folder / "place"
    whole = await follow(demo["url"], token, folder / "other", 6)
    assert await follow(demo["url"], token, place, 2) == whole[:2]
    assert await follow(demo["url"], token, place, 4) == whole[2:]
    assert place.read_text() == "6"


PLAYED: dict[str, Callable[[dict[str, Any], Path], Any]] = {
    "ask_for_help": a_customer_is_served_by_a_program,
    "answer_everybody": a_customer_is_served_by_a_program,
    "set_up_account": an_account_is_set_up_once,
    "follow_account": an_account_is_followed_from_where_one_was,
}


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
async def test_an_example_does_what_it_says(name: str, demo: dict[str, Any], tmp_path: Path) -> None:
    if name == "ask_for_help":
        return  # played together with answer_everybody
    with trio.fail_after(WAIT):
        await PLAYED[name](demo, tmp_path)


def test_every_example_is_played() -> None:
    assert set(PLAYED) == {path.stem for path in FOLDER.glob("*.py")}
