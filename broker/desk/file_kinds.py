"""What files are called and what kind they are: names that may be told on, media types, and the bytes kinds begin with.

A name is told as it was given and is never a path: this only keeps out what would be one elsewhere, or would show as
another name than it is. The look at the first bytes keeps out mistakes and clumsy lies. It is no virus scanner.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from broker import limits
from broker.desk.outcome import Refusal, bad_args
from broker.desk.state import FileRules
from broker.protocol import ops

_WORD: Final = r"[a-z0-9][a-z0-9!#$&^_.+-]*"
_TYPE: Final = re.compile(rf"{_WORD}/{_WORD}")
_PATTERN: Final = re.compile(rf"{_WORD}/(?:\*|{_WORD})")
_SCRIPTED: Final = frozenset({"image/svg+xml"})
"""What a pattern doesn't mean: pictures that can carry scripts. A portal that wants them lists them by name."""
_TURNS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What turns the direction of writing: ``photo<202E>gpj.exe`` shows as ``photoexe.jpg``."""

_Start = tuple[int, bytes]
"""(offset, what is there)."""
_ZIP: Final[Sequence[Sequence[_Start]]] = (((0, b"PK\x03\x04"),), ((0, b"PK\x05\x06"),))
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_STARTS: Final[Mapping[str, Sequence[Sequence[_Start]]]] = {
    "image/png": (((0, b"\x89PNG\r\n\x1a\n"),),),
    "image/jpeg": (((0, b"\xff\xd8\xff"),),),
    "image/gif": (((0, b"GIF87a"),), ((0, b"GIF89a"),)),
    "image/webp": (((0, b"RIFF"), (8, b"WEBP")),),
    "image/bmp": (((0, b"BM"),),),
    "image/tiff": (((0, b"II*\x00"),), ((0, b"MM\x00*"),)),
    "image/heic": (((4, b"ftyp"),),),
    "image/avif": (((4, b"ftyp"),),),
    "video/mp4": (((4, b"ftyp"),),),
    "video/webm": (((0, b"\x1aE\xdf\xa3"),),),
    "audio/wav": (((0, b"RIFF"), (8, b"WAVE")),),
    "audio/ogg": (((0, b"OggS"),),),
    "application/pdf": (((0, b"%PDF-"),),),
    "application/gzip": (((0, b"\x1f\x8b"),),),
    "application/zip": _ZIP,
    f"{_OFFICE}wordprocessingml.document": _ZIP,
    f"{_OFFICE}spreadsheetml.sheet": _ZIP,
    f"{_OFFICE}presentationml.presentation": _ZIP,
}
"""Type to the ways in which its files begin, each some bytes at their offsets."""


def wrong_name(name: str) -> Refusal | None:
    """2400 for a name that can't be told on."""
    seen = "".join(one for one in name if unicodedata.category(one) != "Cf").strip()
    if seen in ("", ".", "..") or any(map(_unfit, name)):
        expected = "a file's name that can be seen, without folders: no / or \\, no control characters"
        return bad_args("args.name", expected)
    return None


def _unfit(character: str) -> bool:
    return character in "/\\" or character in _TURNS or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def is_type(text: str) -> bool:
    """Whether this is a media type as files have it: in small letters, without parameters."""
    return _TYPE.fullmatch(text) is not None


def wrong_patterns(patterns: Iterable[str]) -> Refusal | None:
    """2400 for a list of types that means nothing. Empty is a list too: then no file is taken."""
    for index, pattern in enumerate(patterns):
        if _PATTERN.fullmatch(pattern) is None:
            return bad_args(
                f"args.files.types[{index}]", "a media type in small letters, such as application/pdf or image/*"
            )
    return None


def rules(given: ops.Map | None) -> FileRules | Refusal:
    """What a portal takes, from what a put says."""
    said = given or {}
    most = cast("int", said.get("max_bytes", limits.FILE_BYTES))
    together = cast("int", said.get("session_bytes", max(most, limits.SESSION_BYTES)))
    types = tuple(dict.fromkeys(cast("Sequence[str]", said.get("types", limits.FILE_TYPES))))
    if together < most:
        return bad_args("args.files.session_bytes", "no less than max_bytes")
    return wrong_patterns(types) or (most, together, types)


def shown(taken: FileRules) -> dict[str, object]:
    """The same in the words of the put."""
    return {"max_bytes": taken[0], "session_bytes": taken[1], "types": list(taken[2])}


def allowed(type_: str, patterns: Iterable[str]) -> bool:
    """Whether files of this type are taken.

    >>> allowed("image/png", ["image/*"]), allowed("image/svg+xml", ["image/*"])
    (True, False)
    """
    kind = type_.partition("/")[0]
    return any(one == type_ or (one == f"{kind}/*" and type_ not in _SCRIPTED) for one in patterns)


def fits(type_: str, head: bytes) -> bool:
    """Whether a file that begins so can be of this type. What isn't known here may begin as it likes; texts have no
    byte 0."""
    if type_.startswith("text/"):
        return b"\x00" not in head
    ways = _STARTS.get(type_)
    return ways is None or any(all(head.startswith(start, at) for at, start in way) for way in ways)
