"""A backup of a broker at work, put into a new folder and started: every file that its journal tells of is there."""

# covers: broker/cli/backup.py

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import cast

import pytest
import trio

from broker.cli import main
from broker.cli.common import Exit
from broker.protocol.frames import Event
from clients.python.client import open_client
from clients.python.errors import WrongState
from clients.python.roles import Customer, Representative
from clients.python.settings import Auth
from tests.crash.actors import ACCOUNT
from tests.crash.broker_process import Victim
from tests.crash.test_files import TAKES_FILES

SIZE = 150_000
BEFORE = 3
"""Files that are shared when the backup is begun; more follow."""


@pytest.mark.slow
async def test_what_was_shared_when_it_was_made_comes_back_byte_for_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = random.Random(11)
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    victim, restored = Victim(old, TAKES_FILES), Victim(new, TAKES_FILES)
    backup = tmp_path / "monday.sqlite"
    sent: dict[str, bytes] = {}
    try:
        await victim.start()
        auth = Auth(token=victim.tokens()["rep0"])
        with trio.fail_after(120):
            async with (
                open_client(f"http://127.0.0.1:{victim.port}", auth, Representative) as ann,
                open_client(f"http://127.0.0.1:{victim.port}", Auth(portal=f"{ACCOUNT}/line"), Customer) as kim,
                ann.subscribe("me", "snapshot") as news,
            ):
                await ann.set_presence("available")
                session = str((await kim.ask("it broke")).session)
                async for item in news:
                    if getattr(item, "type", None) == "offer.made":
                        break
                await ann.accept(str(cast("Event", item).data["offer"]))
                enough, copied = trio.Event(), trio.Event()
                under_way = await kim.begin_file(session, "half.img", SIZE, "application/octet-stream")
                await kim.send_piece(under_way.file, 0, bytes(1000))

                async def share() -> None:
                    """Until the backup is there, and then once more."""
                    while True:
                        over = copied.is_set()
                        source = tmp_path / f"{len(sent)}.img"
                        source.write_bytes(drawn.randbytes(SIZE))
                        done = await kim.send_file(session, source)
                        sent[done.file] = source.read_bytes()
                        if len(sent) == BEFORE:
                            enough.set()
                        if over:
                            return

                async def talk() -> None:
                    while not copied.is_set():
                        await ann.say(session, "still there?")

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(share)
                    nursery.start_soon(talk)
                    await enough.wait()
                    argv = ["journal", "backup", str(backup), "--config", str(old / "huntgroup.toml")]
                    assert await trio.to_thread.run_sync(main, [*argv, "--data", str(old / "data")]) == Exit.OK
                    copied.set()
        victim.kill()
        assert "and the copy verified" in capsys.readouterr().out

        (new / "data").mkdir(mode=0o700)
        shutil.copy(backup, new / "data" / "journal.sqlite")
        shutil.copytree(f"{backup}.files", new / "data" / "files")
        shutil.copy(old / "data" / "secret.key", new / "data" / "secret.key")
        await restored.start()
        auth = Auth(token=restored.tokens()["rep0"])
        with trio.fail_after(60):
            async with open_client(f"http://127.0.0.1:{restored.port}", auth, Representative) as ann:
                listed = [one.file for one in await ann.files(session)]
                assert BEFORE <= len(listed) < len(sent), "the last one came after the backup"
                assert listed == list(sent)[: len(listed)]
                for number, file in enumerate(listed):
                    target = tmp_path / f"saved {number}"
                    assert await ann.save_file(file, target) == SIZE
                    assert target.read_bytes() == sent[file]
            auth = Auth(portal=f"{ACCOUNT}/line", visitor=kim.identity.visitor)
            async with open_client(f"http://127.0.0.1:{restored.port}", auth, Customer) as again:
                with pytest.raises(WrongState) as behind:
                    await again.send_piece(under_way.file, 1000, bytes(1000))
                assert behind.value.offset == 0, "an upload under way begins anew"
                assert await again.send_piece(under_way.file, 0, bytes(1000)) == 1000
    finally:
        for one in (victim, restored):
            if one.process is not None:
                one.kill()
