import math

from broker import limits
from broker.transport.base import Kind
from broker.transport.links import Fuses, WireLink
from broker.transport.memory import MemoryPipe, MemoryPoller


def link(number: int) -> WireLink:
    return WireLink(number, "127.0.0.1", Kind.HTTP, wire=MemoryPipe(-number, 1, MemoryPoller()), fd=-number)


def test_fuses_burn_in_the_order_they_were_lit() -> None:
    fuses = Fuses(2000)
    first, second, third = link(1), link(2), link(3)
    fuses.light(first, 0.0)
    fuses.light(second, 1.0)
    fuses.light(third, 1.5)
    assert fuses.next() == 2.0
    assert fuses.burnt(1.9) == []
    fuses.light(first, 2.0)  # again: from the end of the row
    fuses.douse(third)
    assert fuses.burnt(3.0) == [second]
    assert fuses.next() == 4.0
    assert fuses.burnt(4.0) == [first]
    assert len(fuses) == 0
    assert fuses.next() == math.inf


def test_a_tick_burns_a_bounded_number() -> None:
    fuses = Fuses(1)
    for number in range(1, limits.TICK_DEADLINES + 11):
        fuses.light(link(number), 0.0)
    assert len(fuses.burnt(1.0)) == limits.TICK_DEADLINES
    assert len(fuses.burnt(1.0)) == 10
