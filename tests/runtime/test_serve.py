"""A whole broker as a process: real sockets, a journal on disk, signals, pages; and what refuses the start."""

# covers: broker/runtime/serve_parts.py
# covers: broker/runtime/hub.py
# covers: broker/runtime/hub_statistics.py
# covers: broker/runtime/keyring.py
# covers: broker/runtime/peers.py

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from broker.codes import Close, Code
from broker.config import Config, load
from broker.identity import secrets
from broker.identity.tokens import Signer
from broker.protocol import codec, frames
from broker.runtime import serve, serve_parts
from broker.transport.client import Client

pytestmark = pytest.mark.slow

DESK = """
[[portal]]
portal = "help"
title = "Help"
kind = "ask"
mode = "queue"
subportals = ["help"]

[[team]]
team = "all"
subportals = ["help"]

[[representative]]
representative = "ann"
name = "Ann"
team = "all"
capacity = 2
"""

CONFIG = """
[server]
port = 0

[data]
path = "data"
{data}

[[accounts]]
name = "acme"
slot = 3
desk = "desk.toml"
{more}
"""


def configured(folder: Path, *, data: str = "", more: str = "", desk: str = DESK) -> Path:
    """The path of a configuration file."""
    (folder / "desk.toml").write_text(desk)
    path = folder / "huntgroup.toml"
    path.write_text(CONFIG.format(data=data, more=more))
    return path


@contextmanager
def running(path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A broker's process and its address."""
    command = [sys.executable, "-m", "broker", "serve", "--config", str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "serves at" in line:
                    yield process, line.split("serves at ")[1].split(",")[0]
                    break
            else:
                raise RuntimeError("it didn't start")
        finally:
            process.kill()


class Link:
    """One WebSocket over a blocking socket."""

    def __init__(self, url: str, auth: Mapping[str, object]) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        while True:
            self._socket = socket.create_connection((host, int(port)), timeout=10)
            self._client = Client()
            self._heard: list[frames.Frame] = []
            self._socket.sendall(self._client.request())
            self.send(frames.Hello([1], [], auth, {}))
            first = self.hear()
            if isinstance(first, frames.Welcome):
                return
            self._socket.close()
            # it listens before it has read its accounts
            assert isinstance(first, frames.Goodbye)
            assert (first.code, first.action) == (Close.BUSY, frames.COME_BACK), first
            time.sleep((first.retry_ms or 100) / 1000)

    def send(self, frame: frames.Frame) -> None:
        """Send one frame."""
        self._socket.sendall(self._client.message(codec.pack(frame)))

    def hear(self) -> frames.Frame:
        """The next frame."""
        while not self._heard:
            data = self._socket.recv(65_536)
            assert data, "the broker has ended the connection"
            for message in self._client.receive(data):
                self._heard += codec.decode(message, codec.BROKER)
            self._socket.sendall(self._client.outgoing)  # its answer to a close
            self._client.outgoing.clear()
        return self._heard.pop(0)

    def ask(self, op: str, args: dict[str, object], key: str | None = None) -> dict[str, Any]:
        """Ask and wait for the RESULT's value; what may be repeated is."""
        while True:
            self.send(frames.Request(1, op, args, key))
            while not isinstance(frame := self.hear(), frames.Result | frames.Fail):
                pass
            if isinstance(frame, frames.Result):
                return cast("dict[str, Any]", frame.value)
            assert frame.code in (Code.JOURNAL_DOWN, Code.UNKNOWN_OUTCOME), frame
            assert frame.retry_ms is not None
            time.sleep(min(frame.retry_ms, 200) / 1000)

    def event(self, type_: str) -> frames.Event:
        """The next EVENT of this type."""
        while not (isinstance(frame := self.hear(), frames.Event) and frame.type == type_):
            pass
        return frame

    def close(self) -> None:
        """Without a word."""
        self._socket.close()


@contextmanager
def speaking(url: str, *auths: Mapping[str, object]) -> Iterator[list[Link]]:
    """Connections that have been welcomed."""
    links: list[Link] = []
    try:
        links.extend(Link(url, auth) for auth in auths)
        yield links
    finally:
        for link in links:
            link.close()


def token(folder: Path, person: str, role: str) -> str:
    """One that this broker takes."""
    return Signer(secrets.load(folder / "data").token_key).mint("acme", person, role, 2**50)


@pytest.mark.parametrize("data", ["", 'writer = "thread"', 'journal = "memory"'])
def test_it_serves_stops_and_finds_everything_again(tmp_path: Path, data: str) -> None:
    path = configured(tmp_path, data=data)
    with running(path) as (process, url):
        auth = {"token": token(tmp_path, "ann", "representative")}
        with speaking(url, auth, {"portal": "acme/help"}) as (ann, joe):
            ann.ask("subscribe", {"stream": "me", "from": "now"})
            ann.ask("presence.set", {"presence": "available"}, "k1")
            made = joe.ask("request.create", {"text": "hello", "name": "Joe"}, "k1")
            assert ann.event("offer.made").data["text"] == "hello"
            ann.close()
            process.send_signal(signal.SIGTERM)
            while not isinstance(goodbye := joe.hear(), frames.Goodbye):
                pass
            assert (goodbye.code, goodbye.action) == (Close.SHUTDOWN, frames.COME_BACK)
            joe.close()
        assert process.wait(10) == 0
    with running(path) as (process, url), speaking(url, auth) as (ann,):
        ann.ask("subscribe", {"stream": "me", "from": "offset", "offset": 0})
        if "memory" not in data:
            assert ann.event("offer.made").data["request"] == made["request"]
        ann.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_pages_answer_on_the_same_port(tmp_path: Path) -> None:
    with running(configured(tmp_path)) as (_, url), speaking(url, {"portal": "acme/help"}):
        for page, part in (("/", b"Huntgroup"), ("/healthz", b"ok"), ("/readyz", b"ready")):
            with urllib.request.urlopen(url + page, timeout=5) as response:
                assert part in response.read()
        with urllib.request.urlopen(f"{url}/metrics", timeout=5) as response:
            text = response.read().decode()
        assert "huntgroup_hub_welcomed_total 1.0" in text
        assert 'huntgroup_desk_requests{account="acme"} 0.0' in text


def test_a_killed_writer_is_replaced_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    with running(configured(tmp_path)) as (process, url), speaking(url, {"portal": "acme/help"}) as (joe,):
        made = joe.ask("request.create", {"text": "hello"}, "k1")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        assert idle(process.pid), "a dead writer keeps the hub busy"
        for number in range(3):
            gone = joe.ask("request.withdraw", {"request": made["request"]}, "k2")
            assert gone["request"] == made["request"]
            assert number == 0 or gone["replayed"]


def idle(pid: int) -> bool:
    """Whether a process does next to nothing for a while."""

    def spent() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    time.sleep(0.2)
    before = spent()
    time.sleep(0.5)
    return spent() - before < 10  # hundredths of a second


def refused(path: Path) -> str:
    """What the start was refused with."""
    with pytest.raises(serve_parts.StartError) as raised:
        serve.run(load(path))
    return str(raised.value)


def test_a_port_in_use_refuses_the_start(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        path = configured(tmp_path)
        path.write_text(path.read_text().replace("port = 0", f"port = {port}"))
        assert f"port {port}" in refused(path)


def test_a_desk_file_that_the_desk_refuses_refuses_the_start(tmp_path: Path) -> None:
    path = configured(tmp_path)
    with running(path) as (process, url), speaking(url, {"portal": "acme/help"}) as (joe,):
        joe.ask("request.create", {"text": "hello"}, "k1")
        joe.close()
        process.terminate()
        assert process.wait(10) == 0
    configured(tmp_path, desk=DESK.replace('mode = "queue"', 'mode = "web"'))  # with a request open
    assert "account acme, portal[0]" in refused(path)


def test_a_journal_that_is_damaged_refuses_the_start(tmp_path: Path) -> None:
    path = configured(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "journal.sqlite").write_bytes(b"this is no database" * 1000)
    assert "account acme" in refused(path)


def test_a_certificate_that_can_not_be_used_refuses_the_start(tmp_path: Path) -> None:
    path = configured(tmp_path)
    (tmp_path / "cert.pem").write_text("nonsense")
    text = path.read_text().replace("port = 0", 'port = 0\ncertificate = "cert.pem"\nkey = "cert.pem"')
    path.write_text(text)
    assert "certificate" in refused(path)


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:8470", frozenset({"http://127.0.0.1:8470", "http://localhost:8470", "http://[::1]:8470"})),
        ("https://help.example.org:443", frozenset({"https://help.example.org", "https://help.example.org:443"})),
    ],
)
def test_pages_of_the_brokers_own_address_may_connect(url: str, own: frozenset[str]) -> None:
    assert serve_parts.origins(Config(), url) == own


def test_a_second_broker_on_the_same_journal_ends_the_first(tmp_path: Path) -> None:
    path = configured(tmp_path)
    with running(path) as (first, url), running(path) as (_, _), speaking(url, {"portal": "acme/help"}) as (joe,):
        joe.send(frames.Request(1, "request.create", {"text": "x"}, "k1"))
        heard = [joe.hear(), joe.hear()]
        assert isinstance(heard[0], frames.Fail)
        assert heard[0].code == Code.JOURNAL_DOWN
        assert isinstance(heard[1], frames.Goodbye)
        assert heard[1].code == Close.SHUTDOWN
        assert first.wait(10) == serve.FAILED
