"""Events as bodies: packed, unpacked, and equal; unknown ones refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.desk.events import EVENTS, pack_body, unpack_body
from broker.protocol.codec import pack_value, unpack_value
from tests.desk.test_publish import events_of, few


@pytest.mark.parametrize("type_", sorted(EVENTS))
@few
@given(data=st.data())
def test_F21_a_packed_body_is_the_event_again(type_: str, data: st.DataObject) -> None:
    event = data.draw(events_of(EVENTS[type_]))
    values = unpack_value(pack_value(pack_body(event)))
    assert isinstance(values, tuple)
    assert unpack_body(event.TYPE, event.VERSION, values) == event


def test_types_and_versions_this_release_does_not_know_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'request.sung' version 1 is unknown"):
        unpack_body("request.sung", 1, ())
    with pytest.raises(ValueError, match=r"'round.started' version 2 is unknown"):
        unpack_body("round.started", 2, ("r",))


def test_every_type_is_named_once() -> None:
    assert len({cls.TYPE for cls in EVENTS.values()}) == len(EVENTS) == len(set(EVENTS.values()))
