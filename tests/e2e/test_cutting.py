"""The connections that break for the other tests break where they are told to, and carry nothing after that."""

from __future__ import annotations

import pytest
import trio
from trio.testing import memory_stream_pair

from clients.python.connection import Address
from tests.e2e.cutting import Breaking, Cable, Cut

SOMEWHERE = Address("127.0.0.1", 1, secure=False)


async def all_of(stream: trio.abc.ReceiveStream) -> bytes:
    """What comes until it breaks."""
    found = b""
    try:
        while data := await stream.receive_some():
            found += data
    except trio.BrokenResourceError:
        return found
    raise AssertionError("it didn't break")


@pytest.mark.parametrize("after", [0, 1, 9, 10, 11, 25])
@pytest.mark.parametrize("sizes", [[10, 10, 10], [30], [1] * 30, [5, 1000], [12, 1000, 1000]])
async def test_nothing_comes_after_so_many_bytes_however_large_the_pieces_are(after: int, sizes: list[int]) -> None:
    ours, theirs = memory_stream_pair()
    stream = Breaking(ours, Cut("down", after))
    sent = b""
    found = b""
    try:
        for number, size in enumerate(sizes):
            piece = bytes([number]) * size
            sent += piece
            await theirs.send_all(piece)
            while len(found) < min(len(sent), after):
                found += await stream.receive_some()
    except trio.BrokenResourceError:
        pass
    else:
        await theirs.send_all(b"x")
        with pytest.raises(trio.BrokenResourceError):
            found += await stream.receive_some()
    assert found == sent[:after]


async def test_a_cut_leaves_nothing_of_what_came_in_one_piece_with_it() -> None:
    ours, theirs = memory_stream_pair()
    stream = Breaking(ours, Cut("down", 4))
    await theirs.send_all(b"abcdef")
    assert await stream.receive_some() == b"abcd"
    await theirs.send_all(b"0123456789")  # more than has come so far
    assert await all_of(stream) == b""


async def test_so_many_bytes_go_up_and_no_more() -> None:
    ours, theirs = memory_stream_pair()
    stream = Breaking(ours, Cut("up", 4))
    await stream.send_all(b"abc")
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(b"def")
    assert await theirs.receive_some() == b"abcd"
    assert await theirs.receive_some() == b""


async def test_an_answer_is_lost_with_all_that_comes_with_it() -> None:
    ours, theirs = memory_stream_pair()
    stream = Breaking(ours, Cut("answer", 3))
    await theirs.send_all(b"\x93\x11 before")
    assert await stream.receive_some() == b"\x93\x11 before"
    await stream.send_all(b"abc")
    await theirs.send_all(b"an event, \x94\x11 and more")
    assert await all_of(stream) == b""


async def test_a_pulled_cable_is_silent_and_a_new_connection_finds_its_way_once_it_is_in(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ends: list[trio.StapledStream[trio.abc.SendStream, trio.abc.ReceiveStream]] = []

    async def dial(address: Address) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        ours, theirs = memory_stream_pair()
        ends.append(theirs)  # type: ignore[arg-type]  # both are stapled streams
        return ours

    cable = Cable(dial)
    first = await cable(SOMEWHERE)
    await first.send_all(b"hello")
    assert await ends[0].receive_some() == b"hello"
    cable.pull()
    await first.send_all(b"lost")
    await ends[0].send_all(b"lost as well")
    with trio.move_on_after(60) as waited:
        await first.receive_some()
    assert waited.cancelled_caught
    await first.aclose()
    with trio.move_on_after(60) as waited:  # nobody tells the other end
        await ends[0].receive_some()
    assert waited.cancelled_caught
    with pytest.raises(OSError, match="no route"):
        await cable(SOMEWHERE)
    cable.plug()
    second = await cable(SOMEWHERE)
    await ends[1].send_all(b"again")
    assert await second.receive_some() == b"again"
    assert cable.dials == 2
    await cable.throw_away()
    assert await ends[0].receive_some() == b""


async def test_what_was_on_its_way_when_the_cable_was_pulled_is_lost(autojump_clock: trio.testing.MockClock) -> None:
    ours, theirs = memory_stream_pair()

    async def dial(address: Address) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return ours

    cable = Cable(dial)
    wire = await cable(SOMEWHERE)
    with trio.move_on_after(60) as waited:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.receive_some)
            await trio.testing.wait_all_tasks_blocked()
            cable.pull()
            await theirs.send_all(b"too late")
    assert waited.cancelled_caught
    await cable.throw_away()
