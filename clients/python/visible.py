"""Text that came over the wire, made safe to print on somebody's terminal."""

from __future__ import annotations

from typing import Final

_NAMELESS: Final = (
    *range(0x80, 0xA0),  # C1: 0x9b alone begins an escape sequence on many terminals
    *range(0x202A, 0x202F),  # bidi embeddings and overrides, which reorder what stands around them
    *range(0x2066, 0x206A),  # bidi isolates
    0x2028,  # line separator
    0x2029,  # paragraph separator
)
_VISIBLE: Final[dict[int, str]] = {
    **{code: chr(0x2400 + code) for code in range(0x20)},  # Unicode has a picture of each
    0x7F: "\N{SYMBOL FOR DELETE}",
    **{code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _NAMELESS},
}


def visible(text: str) -> str:
    r"""One line that moves no cursor, sets no title and forges no other line, whoever wrote it.

    >>> visible("\x1b[2Jhi\n\x9b1m")
    '␛[2Jhi␊\\x9b1m'
    """
    return text.translate(_VISIBLE)
