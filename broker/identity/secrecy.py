"""A text that nobody may read by accident: passwords, on their way from who gave them to what checks them."""

from __future__ import annotations

import hmac
from typing import Final

SHOWN: Final = "<secret>"


class Secret:
    """Holds a text and shows it to nobody who doesn't ask with ``reveal``: not in repr, not formatted, not in a
    traceback that prints values. No attrs class, so that ``attrs.asdict`` of what holds one doesn't open it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. Where this is called, it mustn't be logged, stored or raised."""
        return self._text

    def __repr__(self) -> str:
        return SHOWN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        ours, theirs = (text.encode("utf-8", "surrogatepass") for text in (self._text, other._text))
        return hmac.compare_digest(ours, theirs)

    def __hash__(self) -> int:
        return hash((Secret, self._text))


def veil(text: str | Secret) -> Secret:
    """The text as a secret, if it isn't one yet."""
    return text if isinstance(text, Secret) else Secret(text)
