"""What an e-mail address is to us."""

from __future__ import annotations

import re
from typing import Final

from broker.limits import MAX_ADDRESS_CHARS

MAX_LOCAL_CHARS: Final = 64  # before the @: RFC 5321

# ASCII alone: an address with other letters needs servers that speak SMTPUTF8, all the way. No quoted local parts, no
# address literals, no display name: nobody's mailbox is lost by that, and nothing in it can be taken for syntax.
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@({_LABEL}(?:\.{_LABEL})*)", re.ASCII)


def is_address(text: str) -> bool:
    """Whether it is one plain e-mail address, like ann@help.example.org; a domain of other letters is written xn--…."""
    found = _ADDRESS.fullmatch(text) if len(text) <= MAX_ADDRESS_CHARS else None
    return found is not None and len(found[1]) <= MAX_LOCAL_CHARS
