"""How things are named: slugs chosen by managers, and tokens drawn from a command's entropy.

A request's token names everything that grows out of it, so one draw per command is enough:
request ``r_<token>``, its session ``s_<token>``, its case ``k_<token>``, its offers ``o_<token>.<n>``.
"""

import re
from typing import Final

SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,62}[a-z0-9])?")
"""Names that people choose (accounts, portals, teams, representatives): safe in addresses and file names."""

ENTROPY_BYTES: Final = 16
"""What each command is given: 80 bits for one token, 48 to spare."""

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford: no letter that reads like another
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)  # 10 bits at a time: half the steps
_TOKEN_SHIFTS: Final = tuple(range(70, -1, -10))  # 80 bits: out of reach of guesses and collisions at 10^9 requests


def is_slug(text: str) -> bool:
    """Whether ``text`` may name an account, a portal, a team or a person."""
    return SLUG.fullmatch(text) is not None


def token(entropy: bytes) -> str:
    """16 characters (80 bits) from the first 10 bytes of a command's entropy.

    >>> token(bytes(16))
    '0000000000000000'
    """
    number = int.from_bytes(entropy[:10], "big")
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in _TOKEN_SHIFTS])


def case_of(name: str) -> str:
    """The case of a request or a session.

    >>> case_of("r_0000000000000000") == case_of("s_0000000000000000")
    True
    """
    return f"k_{name[2:]}"


def share_of(leg: str) -> str:
    """The share that a guest's leg is of.

    >>> share_of("h_0000000000000000.1.2")
    'h_0000000000000000.1'
    """
    return leg.rpartition(".")[0]


def session_of(name: str) -> str:
    """The session of a request or a case.

    >>> session_of("r_0000000000000000")
    's_0000000000000000'
    """
    return f"s_{name[2:]}"
