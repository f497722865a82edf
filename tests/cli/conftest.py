"""A broker as a process with a few accounts, for the commands that talk to one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from broker.cli import main
from broker.identity import secrets
from broker.identity.tokens import Signer
from broker.runtime.clock import SystemClock
from broker.units import HOURS
from tests.clients.python.conftest import serving
from tests.support.desk_file import FILE

ACCOUNTS = ("one", "two", "three", "four", "five", "empty")


@attrs.frozen
class Served:
    """A running broker."""

    url: str
    folder: Path
    data: Path

    def token(self, account: str, person: str, role: str = "manager") -> str:
        """A sign-in for anybody."""
        key = secrets.load(self.data).token_key
        return Signer(key).mint(account, person, role, SystemClock().now() + HOURS)

    def auth(self, account: str, person: str = "robot", role: str = "manager") -> tuple[str, ...]:
        """The options that sign in."""
        return ("--server", self.url, "--token", self.token(account, person, role))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Each account but ``empty`` is as FILE has it at first; a test changes only its own."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "desk.toml").write_text(FILE)
    (folder / "empty.toml").write_text("")
    lines = ['[server]\nport = 0\n[data]\npath = "data"\n']
    for slot, name in enumerate(ACCOUNTS):
        desk = "empty.toml" if name == "empty" else "desk.toml"
        lines.append(f'[[accounts]]\nname = "{name}"\nslot = {slot}\ndesk = "{desk}"\n')
    (folder / "c.toml").write_text("".join(lines))
    with serving("serve", "-c", str(folder / "c.toml"), says="huntgroup serves at") as line:
        url = line.partition("serves at ")[2].partition(",")[0]
        yield Served(url, folder, folder / "data")


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command of ``huntgroup`` in a folder of the test's own: exit code, output, and what it says beside that."""
    for name in os.environ:
        if name.startswith("HUNTGROUP_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*argv: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(arg) for arg in argv])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
