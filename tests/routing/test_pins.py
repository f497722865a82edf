"""Nine-digit pins: a permutation, one to one, the same for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.routing import pins
from broker.routing.pins import PINS, PinSpace, clean

KEY = b"sixteen byte key"
SPACE = PinSpace(KEY)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> PinSpace:
    """The same network over 1,000 numbers of 10 bits, small enough to look at each."""
    monkeypatch.setattr(pins, "PINS", 1000)
    monkeypatch.setattr(pins, "DIGITS", 3)
    monkeypatch.setattr(pins, "_HALF", 5)
    monkeypatch.setattr(pins, "_MASK", 31)
    return PinSpace(KEY, slots=7)


def test_every_number_of_a_small_space_has_one_pin_and_every_pin_one_number(tiny: PinSpace) -> None:
    assert tiny.block == 142
    issued = {tiny.pin(slot, serial): (slot, serial) for slot in range(7) for serial in range(142)}
    assert len(issued) == 7 * 142
    for number in range(1000):
        digits = f"{number:03}"
        assert tiny.locate(digits) == issued.get(digits)
    assert sum(tiny.locate(f"{number:03}") is None for number in range(1000)) == 1000 - 7 * 142


@given(slot=st.integers(0, 999), serial=st.integers(0, 10**6 - 1))
def test_a_pin_leads_back_to_its_account_and_serial(slot: int, serial: int) -> None:
    pin = SPACE.pin(slot, serial)
    assert (len(pin), pin.isdigit()) == (9, True)
    assert SPACE.locate(pin) == (slot, serial)


@given(number=st.integers(0, PINS - 1))
def test_all_digits_lead_somewhere_and_back(number: int) -> None:
    place = SPACE.locate(f"{number:09}")
    assert place is not None  # a thousand blocks of a million leave nothing over
    assert SPACE.pin(*place) == f"{number:09}"


@given(number=st.integers(0, PINS - 1), slots=st.integers(1, PINS))
def test_digits_beyond_the_last_block_belong_to_nobody(number: int, slots: int) -> None:
    space = PinSpace(KEY, slots)
    place = space.locate(f"{number:09}")
    if place is not None:
        assert space.pin(*place) == f"{number:09}"
        assert place[0] < slots
        assert place[1] < space.block


@pytest.mark.slow
def test_no_two_accounts_share_one_of_100_000_pins() -> None:
    drawn = {SPACE.pin(slot, serial) for slot in range(0, 1000, 10) for serial in range(1000)}
    assert len(drawn) == 100_000


def test_another_key_gives_other_pins_and_neighbours_look_unlike() -> None:
    other = PinSpace(b"another 16 bytes")
    first = [SPACE.pin(0, serial) for serial in range(100)]
    assert not set(first) & {other.pin(0, serial) for serial in range(100)}
    assert len({pin[:3] for pin in first}) > 50
    assert first == [PinSpace(KEY).pin(0, serial) for serial in range(100)]


def test_the_pins_of_a_key_never_change() -> None:
    """They're in people's hands, and in journals as serials: a change of the network would move them all."""
    assert [SPACE.pin(0, 0), SPACE.pin(999, 999_999), SPACE.pin(3, 14)] == FIXED


FIXED = ["003088198", "460693069", "515314664"]


@pytest.mark.parametrize(("slot", "serial"), [(-1, 0), (1000, 0), (0, -1), (0, 10**6)])
def test_slots_and_serials_have_bounds(slot: int, serial: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        SPACE.pin(slot, serial)


@pytest.mark.parametrize(
    ("typed", "digits"),
    [
        ("123456789", "123456789"),
        (" 123 456-789\t", "123456789"),
        ("123\u00a0456\u00a0789", "123456789"),
        ("000000000", "000000000"),
        ("12345678", None),
        ("1234567890", None),
        ("12345678x", None),
        ("١٢٣٤٥٦٧٨٩", None),
        ("²²²²²²²²²", None),
        ("", None),
    ],
)
def test_what_customers_type_is_nine_digits_or_nothing(typed: str, digits: str | None) -> None:
    assert clean(typed) == digits


@given(st.text())
def test_whatever_is_typed_ends_in_nine_ascii_digits_or_none(text: str) -> None:
    digits = clean(text)
    assert digits is None or (len(digits) == 9 and int(digits) < PINS)


def test_the_key_stays_out_of_sight() -> None:
    assert "sixteen" not in repr(SPACE)
