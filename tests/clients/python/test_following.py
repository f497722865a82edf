"""A followed stream: places, duplicates, holes, gaps, snapshots, and a reader that is too slow."""

from __future__ import annotations

import pytest

from broker.protocol.frames import Event, Gap, Notice, Snapshot
from broker.protocol.ops import Subscribe
from clients.python.following import Follow, HoleError, Item, Phase, View


def event(offset: int) -> Event:
    return Event("me", offset, "thing.happened", 1, {})


def following(start: Subscribe | None = None, *, at: int = 0, most: int = 100) -> Follow:
    follow = Follow("me", start or Subscribe("me", "now"), most=most)
    follow.phase = Phase.ASKED
    follow.placed(at)
    return follow


def read(follow: Follow) -> list[Item]:
    items = []
    while (item := follow.next()) is not None:
        items.append(item)
    return items


def test_it_asks_as_told_until_it_has_a_place_and_then_from_there() -> None:
    follow = Follow("me", Subscribe("me", "now", types=["a"]))
    assert follow.subscribe().from_ == "now"
    follow.placed(7)
    assert follow.subscribe() == Subscribe("me", "offset", offset=7, types=["a"])


def test_what_came_before_is_dropped_and_what_comes_next_is_taken() -> None:
    follow = following(at=2)
    for offset in (1, 2, 3, 3, 4):
        follow.take(event(offset))
    assert read(follow) == [event(3), event(4)]
    assert follow.place == 4


def test_a_hole_is_not_skipped() -> None:
    follow = following(at=2)
    with pytest.raises(HoleError):
        follow.take(event(4))
    assert follow.place == 2


def test_a_filter_leaves_holes_and_progress_moves_the_place() -> None:
    follow = following(Subscribe("me", "now", types=["a"]), at=2)
    follow.take(event(5))
    follow.take(Notice("me", "progress", "progress", {"offset": 9}))
    assert read(follow) == [event(5)]
    assert follow.place == 9


def test_of_several_notices_of_one_key_the_latest_is_read_once() -> None:
    follow = following()
    for place in (3, 2, 1):
        follow.take(Notice("me", "r_1", "queue.position", {"position": place}))
    follow.take(Notice("me", "r_2", "queue.position", {"position": 9}))
    notices = [item.data["position"] for item in read(follow) if isinstance(item, Notice)]
    assert notices == [1, 9]


def test_a_gap_is_an_item_and_moves_the_place() -> None:
    follow = following(at=2)
    gap = Gap("me", 3, 8, "retention")
    follow.take(gap)
    follow.take(event(9))
    assert read(follow) == [gap, event(9)]


def test_a_broker_restored_from_a_copy_takes_the_reader_back() -> None:
    follow = following(at=9)
    follow.cut()
    follow.phase = Phase.ASKED
    follow.placed(4)
    follow.take(Gap("me", 5, 9, "too_far_behind"))
    follow.take(event(5))
    assert [type(item) for item in read(follow)] == [Gap, Event]
    assert follow.place == 5


def test_a_lost_right_ends_it() -> None:
    follow = following(at=2)
    follow.take(Gap("me", 3, 3, "rights"))
    assert follow.phase is Phase.OVER
    follow = following(at=2)
    follow.lost_right()
    assert read(follow) == [Gap("me", 3, 3, "rights")]
    assert follow.phase is Phase.OVER


def test_a_snapshot_comes_whole() -> None:
    follow = following(Subscribe("me", "snapshot"), at=4)
    follow.take(Snapshot("me", 4, 0, False, {"offers": [1]}))
    assert len(follow) == 0
    follow.take(Snapshot("me", 4, 1, True, {"offers": [2], "sessions": [3]}))
    follow.take(event(5))
    assert read(follow) == [View("me", 4, {"offers": [1, 2], "sessions": [3]}), event(5)]


def test_a_snapshot_that_was_cut_is_asked_for_again_from_its_beginning() -> None:
    follow = following(Subscribe("me", "snapshot"), at=4)
    follow.take(Snapshot("me", 4, 0, False, {"offers": [1]}))
    follow.cut()
    assert follow.subscribe().from_ == "snapshot"
    follow.placed(6)
    follow.take(Snapshot("me", 6, 0, True, {"offers": [7]}))
    assert read(follow) == [View("me", 6, {"offers": [7]})]
    assert follow.subscribe().from_ == "offset"


def test_parts_out_of_order_are_a_broken_connection() -> None:
    with pytest.raises(HoleError):
        following(Subscribe("me", "snapshot")).take(Snapshot("me", 0, 1, True, {}))


def test_a_full_buffer_parks_the_stream_until_it_is_read() -> None:
    follow = following(most=3)
    for offset in range(1, 6):
        follow.take(event(offset))
    assert follow.phase is Phase.PARKED
    assert not follow.wanted
    assert read(follow) == [event(1), event(2), event(3)]
    assert follow.wanted
    assert follow.subscribe().offset == 3
