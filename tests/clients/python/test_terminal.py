"""``huntgroup connect`` as processes with pipes: two people at two terminals."""

from __future__ import annotations

import subprocess
import sys
from typing import IO, Any

import pytest

from clients.python import terminal

pytestmark = pytest.mark.slow


class Process:
    """A console in a process of its own."""

    def __init__(self, demo: dict[str, Any], *options: str) -> None:
        command = [sys.executable, "-m", "broker", "connect", *options, "--server", demo["url"]]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        )
        self.seen: list[str] = []

    def type(self, line: str) -> None:
        print(line, file=self._pipe(self.process.stdin), flush=True)

    def reads(self, text: str) -> str:
        """The next line that has this text in it; the test's own time-out ends a wait in vain."""
        for line in self._pipe(self.process.stdout):
            self.seen.append(line)
            if text in line:
                return line
        raise AssertionError(f"{text!r} was never said: {self.seen}")

    def leave(self) -> int:
        self._pipe(self.process.stdin).close()
        self._pipe(self.process.stdout).read()
        self._pipe(self.process.stdout).close()
        return self.process.wait()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


def test_two_people_at_two_terminals(demo: dict[str, Any]) -> None:
    bo = Process(demo, "representative", "--token", demo["tokens"]["bo"])
    bo.reads("You are offline")
    bo.type("available")
    bo.reads("You are available")
    kim = Process(demo, "customer", "--portal", "demo/queue-ask")
    kim.reads("help lists the commands")
    kim.type("ask It hums")
    kim.reads("You have asked")
    bo.reads("offer 1: somebody (line-orders, queue)")
    bo.type("accept")
    bo.reads("session 1: you serve somebody (line-orders): It hums")
    kim.reads("Bo Birch is here")
    kim.type("Is it the fan?")
    bo.reads("session 1, the customer: Is it the fan?")
    bo.type("say It is.")
    kim.reads("Bo Birch: It is.")
    kim.type("end")
    kim.reads("End the conversation?")
    kim.type("yes")
    kim.reads("It is over (closed)")
    bo.reads("session 1 is over (customer)")
    assert kim.leave() == 0
    bo.type("quit")
    assert bo.leave() == 0


def test_a_pin_connects_at_once(demo: dict[str, Any]) -> None:
    bo = Process(demo, "representative", "--token", demo["tokens"]["bo"])
    bo.reads("You are offline")
    bo.type("available")
    bo.reads("You are available")
    bo.type("pin")
    pin = bo.reads("good once").split(": ")[1].split(",")[0]
    kim = Process(demo, "customer", "--pin", pin)
    kim.reads("Bo Birch is here")
    kim.type("end")
    kim.reads("End the conversation?")
    kim.type("yes")
    kim.reads("It is over")
    assert kim.leave() == 0
    bo.reads("is over (customer)")
    bo.type("quit")
    assert bo.leave() == 0


def test_a_managers_token_is_told_that_this_is_not_its_console(demo: dict[str, Any]) -> None:
    console = Process(demo, "representative", "--token", demo["tokens"]["mia"])
    console.reads("huntgroup: this console is for representatives, but mia signed in as a manager")
    assert console.leave() == terminal.USAGE
    assert len(console.seen) == 1


@pytest.mark.parametrize(
    ("token", "server", "code", "says"),
    [("v1.x.y", None, terminal.FAILED, "(4500)"), ("v1.x.y", "http://127.0.0.1:1", terminal.UNREACHABLE, "no broker")],
)
def test_what_cannot_be_is_an_exit_code_and_a_sentence(
    demo: dict[str, Any], token: str, server: str | None, code: int, says: str
) -> None:
    console = Process({"url": server or demo["url"]}, "representative", "--token", token)
    console.reads(says)
    assert console.leave() == code
