"""Servers under test: one that doesn't come says why."""

from __future__ import annotations

import sys

import pytest

from bench.peers.process import DidNotStart, free_port, listening, start

pytestmark = pytest.mark.slow


def test_a_server_that_ends_before_it_listens_is_not_waited_for_and_its_words_are_told() -> None:
    server = start("short-lived", [sys.executable, "-c", "print('no room'); exit(3)"], port=free_port())
    with pytest.raises(DidNotStart, match=r"short-lived ended with 3\n(.|\n)*no room"):
        listening(server)


def test_a_server_that_never_listens_is_ended_in_time() -> None:
    server = start("deaf", [sys.executable, "-c", "import time; time.sleep(60)"], port=free_port())
    with pytest.raises(DidNotStart, match=r"deaf took longer than 0\.2 s to listen"):
        listening(server, 0.2)
    assert server.process.returncode is not None


def test_a_server_that_says_nothing_is_told_of_too() -> None:
    with pytest.raises(DidNotStart, match="mute did not start"):
        start("mute", [sys.executable, "-c", "pass"])
