"""Nine-digit pins, unique over an installation without a shared table.

Each account owns a slot, and each slot a block of serials. ``slot * block + serial`` is one of 10^9
numbers; a keyed permutation of those numbers gives the digits. Two different (slot, serial) can't
share a pin because a permutation is one to one; the global portal inverts it to find the account.
Serials of an account go round, so a number comes back only after all others of its block.

The permutation is a Feistel network over 30 bits with BLAKE2b as its round function, walked until the
number is below 10^9 (cycle walking: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
It hides how many pins were made; it's no cipher to keep secrets with. A guess hits one of the live pins
of the whole installation with a chance of (live pins / 10^9).
"""

from __future__ import annotations

import hashlib
from typing import Final

import attrs

DIGITS: Final = 9
PINS: Final = 10**DIGITS
_HALF: Final = 15  # 2 x 15 bits hold 10^9 with the least walking: 1.07 steps on average
_MASK: Final = (1 << _HALF) - 1
_ROUNDS: Final = 8  # 4 are enough in theory for a random round function; the cost is a few microseconds


def clean(text: str) -> str | None:
    """The nine digits of what a customer typed (blanks and dashes don't count), or None.

    >>> clean("123 456-789"), clean("12345678"), clean("12345678x")
    ('123456789', None, None)
    """
    digits = "".join(char for char in text if char not in " -\t\u00a0")
    return digits if len(digits) == DIGITS and digits.isascii() and digits.isdigit() else None


@attrs.frozen
class PinSpace:
    """The pins of one installation. ``key`` (16 to 64 bytes) and ``slots`` never change once pins are out."""

    key: bytes = attrs.field(repr=False)
    slots: int = 1000

    @property
    def block(self) -> int:
        """Serials per slot."""
        return PINS // self.slots

    def pin(self, slot: int, serial: int) -> str:
        """The nine digits of this account's serial. Raises ValueError outside of slots or block."""
        if not 0 <= slot < self.slots or not 0 <= serial < self.block:
            raise ValueError(f"slot {slot} of {self.slots} or serial {serial} of {self.block} is out of range")
        return f"{self._walk(slot * self.block + serial, range(_ROUNDS)):0{DIGITS}d}"

    def locate(self, pin: str) -> tuple[int, int] | None:
        """(slot, serial) of nine digits; None for digits that no account can have made."""
        number = self._walk(int(pin), range(_ROUNDS - 1, -1, -1), inverse=True)
        slot, serial = divmod(number, self.block)
        return (slot, serial) if slot < self.slots else None

    def _walk(self, number: int, rounds: range, *, inverse: bool = False) -> int:
        while True:
            number = self._permute(number, rounds, inverse=inverse)
            if number < PINS:
                return number

    def _permute(self, number: int, rounds: range, *, inverse: bool) -> int:
        left, right = number >> _HALF, number & _MASK
        for index in rounds:
            if inverse:
                left, right = right ^ self._round(index, left), left
            else:
                left, right = right, left ^ self._round(index, right)
        return left << _HALF | right

    def _round(self, index: int, half: int) -> int:
        data = index.to_bytes(1, "big") + half.to_bytes(2, "big")
        return int.from_bytes(hashlib.blake2b(data, digest_size=2, key=self.key).digest(), "big") & _MASK
