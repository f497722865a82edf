"""The runner of the vectors: right about a right server, and not fooled by a wrong one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import trio
import trio_websocket

from broker.protocol.codec import pack
from broker.protocol.frames import Goodbye, Welcome
from clients.python import conformance
from clients.python.conformance import Player, vectors
from clients.python.connection import SUBPROTOCOL, Address
from tests.clients.python.conftest import serving

VECTORS = Path(str(files("broker.protocol") / "vectors"))


def arguments(server: str, *options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--server")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--key")
    parser.add_argument("--only")
    parser.add_argument("--timeout", type=float, default=conformance.TIMEOUT)
    return parser.parse_args(["--server", server, *options])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker that was given the vectors' desk and key."""
    folder = tmp_path_factory.mktemp("conformance")
    data = folder / "data"
    data.mkdir()
    facts = vectors()[0]
    secret = data / "secret.key"
    secret.touch(mode=0o600)
    secret.write_bytes(bytes.fromhex(facts["secret_key"]))
    config = folder / "huntgroup.toml"
    config.write_text(
        f'[server]\nport = 0\n[data]\npath = "{data}"\n'
        f'[[accounts]]\nname = "{facts["account"]}"\nslot = 0\ndesk = "{VECTORS / "desk.toml"}"\n'
    )
    with serving("serve", "--config", str(config), says="serves at") as line:
        yield line.split("serves at ")[1].split(",")[0]


@pytest.mark.slow
def test_the_broker_plays_every_vector(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert conformance.run(arguments(server, "--json", "--timeout", "30")) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["wrong"] == 0
    assert {each["level"] for each in report["vectors"]} == {"sessions", "frames", "refused"}
    scripts = {each["name"] for each in report["vectors"] if each["level"] == "sessions"}
    assert scripts == {json.loads(each.read_text())["name"] for each in (VECTORS / "sessions").iterdir()}


async def answering(nursery: trio.Nursery, how: str) -> str:
    """A server that gets something wrong."""

    async def handle(request: trio_websocket.WebSocketRequest) -> None:
        ws = await request.accept(subprotocol=SUBPROTOCOL)
        try:
            while True:
                await respond(ws, await ws.get_message())
        except trio_websocket.ConnectionClosed:
            pass

    async def respond(ws: trio_websocket.WebSocketConnection, message: str | bytes) -> None:
        if how == "silent":
            return
        if how == "text":
            await ws.send_message("text")
        elif how == "closing":
            await ws.aclose(4009)
        elif how == "taking all":
            await ws.send_message(pack(Welcome(1, [], {"account": "a", "person": "p", "role": "r"}, {}, 4000, {})))
        elif how == "refusing all":
            await ws.send_message(pack(Goodbye(4501, "no", 0)))
            await ws.aclose(4501)

    async def listen(*, task_status: trio.TaskStatus[trio_websocket.WebSocketServer]) -> None:
        await trio_websocket.serve_websocket(handle, "127.0.0.1", 0, None, task_status=task_status)

    server = await nursery.start(listen)
    return f"http://127.0.0.1:{server.port}"


WRONG = {
    "silent": "nothing came within",
    "text": "no frames",
    "closing": "closed the connection with 4009",
    "taking all": "expected",
    "refusing all": "expected 1, got 2",
}


@pytest.mark.parametrize("how", WRONG)
async def test_a_wrong_server_is_found_out(how: str) -> None:
    facts, scripts, frames, refused = vectors()
    script = next(each for each in scripts if each["name"] == "resubscribe")
    hostile = next(each for each in refused if each["limits"] == "client")
    async with trio.open_nursery() as nursery:
        address = Address.parse(await answering(nursery, how))
        player = Player(address, facts["account"], bytes.fromhex(facts["token_key"]), timeout=0.2)
        outcomes = [
            await player.play(script),
            await player.refuses(hostile),
            await player.takes("ping", bytes.fromhex(frames[0]["encodings"][0]), hello=False),
        ]
        nursery.cancel_scope.cancel()
    whys = [outcome.why for outcome in outcomes]
    assert all(whys), whys
    assert WRONG[how] in str(whys[0])
    assert str(whys[0]).startswith("step ")


def test_no_server_at_all_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert conformance.run(arguments("http://127.0.0.1:1")) == conformance.UNREACHABLE


def test_a_vector_that_is_not_there_is_an_error_that_names_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert conformance.run(arguments("http://127.0.0.1:1", "--only", "nosuch")) == conformance.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert "'nosuch'" in told.err
    assert all(script["name"] in told.err for script in vectors()[1])


async def test_a_script_that_is_wrong_itself_is_said() -> None:
    facts = vectors()[0]
    async with trio.open_nursery() as nursery:
        address = Address.parse(await answering(nursery, "silent"))
        player = Player(address, facts["account"], bytes(32), timeout=5)
        for step in ({"expect": [17]}, {"open": {}, "on": "b"}):
            outcome = await player.play({"name": "x", "steps": [step, {"dance": {}, "on": "b"}]})
            assert outcome.why is not None
        nursery.cancel_scope.cancel()
