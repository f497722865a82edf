"""kill -9 in the middle of an upload: it goes on from what the disk has, and what is shared is what was sent."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import cast

import pytest
import trio

from broker.protocol.frames import Event
from broker.units import MIB
from clients.python.client import open_client
from clients.python.files import Sent
from clients.python.roles import Customer, Representative
from clients.python.settings import Auth
from tests.crash.actors import ACCOUNT
from tests.crash.broker_process import DESK, Victim

TAKES_FILES = DESK.replace(
    'subportals = ["line"]\n',
    'subportals = ["line"]\nfunctions = { file_transfer = true }\nfiles = { types = ["application/octet-stream"] }\n',
    1,
)
SIZE = 12 * MIB  # three seconds at the rate that one person has: the blow falls between two of its chunks
STEPS = (1 * MIB, 5 * MIB)
"""At how many bytes on the disk it falls."""


def stored(victim: Victim) -> list[Path]:
    return [path for path in (victim.folder / "data" / "files").rglob("f_*") if path.is_file()]


async def until_on_disk(victim: Victim, size: int) -> None:
    while sum(path.stat().st_size for path in stored(victim)) < size:
        await trio.sleep(0.005)


@pytest.mark.slow
async def test_an_upload_survives_kill_9_again_and_again(tmp_path: Path) -> None:
    source, target = tmp_path / "disk.img", tmp_path / "saved.img"
    source.write_bytes(random.Random(7).randbytes(SIZE))
    folder = tmp_path / "broker"
    folder.mkdir()
    victim = Victim(folder, TAKES_FILES)
    url = f"http://127.0.0.1:{victim.port}"
    try:
        await victim.start()
        token = victim.tokens()["rep0"]
        with trio.fail_after(120):
            async with (
                open_client(url, Auth(token=token), Representative) as ann,
                open_client(url, Auth(portal=f"{ACCOUNT}/line"), Customer) as kim,
                ann.subscribe("me", "snapshot") as news,
            ):
                await ann.set_presence("available")
                session = (await kim.ask("it broke")).session
                assert session is not None
                async for item in news:
                    if getattr(item, "type", None) == "offer.made":
                        break
                await ann.accept(str(cast("Event", item).data["offer"]))
                sent: list[Sent] = []

                async def send() -> None:
                    sent.append(await kim.send_file(session, source))

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(send)
                    for number, step in enumerate(STEPS):
                        await until_on_disk(victim, step)
                        assert not sent
                        (victim.kill if number % 2 else victim.kill_hub)()
                        (part,) = stored(victim)
                        assert step <= part.stat().st_size < SIZE
                        await victim.start()
                        assert part.exists(), "an upload under way is no stranger to the store"
                (done,) = sent
                assert await ann.save_file(done.file, target) == SIZE
        assert target.read_bytes() == source.read_bytes()
        (path,) = stored(victim)
        assert path.read_bytes() == source.read_bytes()
        assert oct(os.stat(path).st_mode & 0o777) == "0o600"
    finally:
        if victim.process is not None:
            victim.kill()
