"""A transcript's entries in words, for the formats that people read: who, what, and which of it somebody typed."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from broker.units import KIB, MIB, SECONDS
from broker.views.chain import Entry

ERASED: Final = "(erased)"


@attrs.frozen
class Typed:
    """Words that a person chose: they may hold anything, and stand apart from ours."""

    text: str
    erased: bool = False
    """Whether it only stands for what was there: somebody may type the same."""


Sentence = Sequence[str | Typed]

_ROLES: Final = {
    "customer": "The customer",
    "lead": "The representative",
    "representative": "The representative",
    "guest": "A guest",
    "manager": "A manager",
    "broker": "The broker",
}
_REASONS: Final = {
    "customer": "by the customer",
    "representative": "by the representative",
    "abandoned": "the customer didn't come back",
    "handed_back": "handed back",
    "signed_out": "signed out",
    "representative_lost": "the connection was lost",
    "transferred": "transferred",
    "blocked": "the customer was blocked",
    "function_off": "it was turned off",
    "withdrawn": "the customer stopped waiting",
    "converted": "it became a support request",
}
_SHARE: Final = {
    "requested": "asked for the customer's screen",
    "accepted": "accepted to show the screen, the first step",
    "negotiating": "agreed to show the screen",
    "active": "said that the screen is shown",
    "rebooting": "restarted the customer's machine",
    "refused": "refused: the screen isn't shown",
    "ended": "ended the screen share",
}
_MAILS: Final = {"sent": "was sent", "deferred": "couldn't be sent yet", "failed": "couldn't be sent"}
_UNITS: Final = ((MIB, "MiB"), (KIB, "KiB"))


def speaks(entry: Entry) -> bool:
    """Whether this is something that somebody said, rather than something that happened."""
    return entry["kind"] in ("message", "file", "note", "mail", "question") or (
        entry["kind"] == "opened" and "text" in entry
    )


def typed(value: object) -> Typed:
    """A text that was typed, or what stands for one that was erased."""
    return Typed(value) if isinstance(value, str) else Typed(ERASED, erased=True)


def speaker(entry: Entry) -> Typed:
    """Who: by name, else by id, else by role."""
    name = entry.get("name")
    if name is None:
        name = entry.get("by") or _ROLES.get(str(entry.get("role")), "The broker")
    return typed(name)


def said(entry: Entry) -> Typed | None:
    """What was typed, of several lines perhaps; None where nothing was."""
    text = entry.get("text", entry.get("comment", entry.get("note")))
    return None if text is None else typed(text)


def sentence(entry: Entry) -> Sentence:
    """What happened, in one line; what was typed beside it is in ``said`` and ``details``."""
    who = speaker(entry)
    match entry["kind"]:
        case "opened":
            return (who, " asked for help")
        case "question":
            return (who, " left a question, to be answered by e-mail")
        case "joined":
            as_guest = " as a guest" if entry.get("role") == "guest" else ""
            watching = ", to watch" if entry.get("view_only") else ""
            return (who, f" joined{as_guest}{watching}")
        case "left":
            return (who, " left", *_because(entry))
        case "transferred":
            return (who, " took over from ", typed(entry.get("former", "")))
        case "released":
            return (who, " left: the customer is in line again", *_because(entry))
        case "held":
            return ("The connection was lost: ", who)
        case "resumed":
            return ("Connected again: ", who)
        case "share":
            return (who, f" {_of_share(entry)}", *_because(entry))
        case "watched":
            return (who, " looks at the screen too", "" if entry.get("control") else ", without control")
        case "unwatched":
            return (who, " looks at the screen no more", *_because(entry))
        case "monitored":
            return ("Managers begin to look on" if entry.get("on") else "Managers look on no longer",)
        case "mail":
            return (who, " wrote an e-mail")
        case "mail_attempted":
            how = _MAILS.get(str(entry.get("state")), "was tried")
            return (f"The e-mail {how} (try {entry.get('attempt')}, code {entry.get('code')})",)
        case "outcome":
            return (who, " noted the outcome: ", typed(entry.get("outcome")))
        case "rated":
            return (who, f" rated the conversation {entry.get('score')} of 5")
        case "described":
            return (who, f"'s page described the {entry.get('about', 'device')}")
        case "file":
            return ("sent a file: ", *_file(cast("Mapping[str, object]", entry["file"])))
        case "ended":
            return ("The conversation ended", *_because(entry))
        case _:
            return ("",)


def _of_share(entry: Entry) -> str:
    """A step of a screen share: of its course, or of control, which has questions and answers of its own."""
    state, grant = str(entry.get("state")), entry.get("grant")
    asks = entry.get("asks") or ()
    may_control = isinstance(grant, Mapping) and grant.get("control") is True
    if state in ("negotiating", "active") and asks:
        return "asked for control"
    if isinstance(grant, Mapping) and "until" not in entry:  # what it may do has changed, and nothing else
        if entry.get("role") == "broker" and "reason" not in entry:
            return "changed what the screen share may do: something was switched on or off"
        return "allowed control" if may_control else "didn't allow control, or took it back"
    and_control = ""
    if state == "requested" and isinstance(asks, Sequence) and "control" in asks:
        and_control = ", and to control it"
    if state == "negotiating":
        and_control = ", and to be controlled" if may_control else ", and not to be controlled"
    return _SHARE.get(state, state.replace("_", " ")) + and_control


def details(entry: Entry) -> list[tuple[Typed, Typed]]:
    """(label, value) of what was filled in beside the text."""
    label, fields = ("data", entry["data"]) if "data" in entry else ("form", entry.get("fields"))
    found = [(typed(label), typed(fields))] if fields == {"erased": True} else []
    if isinstance(fields, Mapping) and not found:
        found = [(Typed(str(name)), Typed(_value(value))) for name, value in fields.items()]
    if "subject" in entry:
        found.append((Typed("subject"), typed(entry["subject"])))
    if "page" in entry:
        found.append((Typed("page"), typed(entry["page"])))
    return found


def _value(value: object) -> str:
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _because(entry: Entry) -> tuple[str, ...]:
    reason = entry.get("reason")
    return () if reason is None else (f" ({_REASONS.get(str(reason), str(reason).replace('_', ' '))})",)


def _file(file: Mapping[str, object]) -> Sentence:
    size = file.get("size")
    about = [size_of(size)] if isinstance(size, int) else []
    about += [str(file[name]) for name in ("type",) if name in file]
    about += [f"SHA-256 {file['sha256']}"] if "sha256" in file else []
    return (typed(file.get("name")), " (", Typed(", ".join(about)), ")")


def size_of(size: int) -> str:
    """Bytes as people read them.

    >>> size_of(1536)
    '1.5 KiB'
    """
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def when(t: int) -> str:
    """A time in UTC, to the second.

    >>> when(0)
    '1970-01-01 00:00:00Z'
    """
    return f"{datetime.fromtimestamp(t // SECONDS, UTC):%Y-%m-%d %H:%M:%S}Z"


def zone_of(name: str | None) -> ZoneInfo | None:
    """The time zone of this name; None where this machine doesn't know it."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def local(t: int, zone: ZoneInfo) -> str:
    """The same time in a zone, with its offset.

    >>> local(0, ZoneInfo("Europe/Berlin"))
    '01:00:00+01:00'
    """
    moment = datetime.fromtimestamp(t // SECONDS, zone)
    return moment.isoformat().partition("T")[2]


_PICTURES: Final[dict[int, str]] = {
    **{code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)},
    0x7F: "\N{SYMBOL FOR DELETE}",
    **{code: f"\\x{code:02x}" for code in range(0x80, 0xA0)},
}
_LINE_ENDS: Final = {0x2028: "\n", 0x2029: "\n"}
_REORDERING: Final = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_TEXT: Final = _PICTURES | _LINE_ENDS
_LINE: Final = {**_PICTURES, **_REORDERING, 0x09: " ", 0x0A: " ", 0x2028: " ", 0x2029: " "}
_PLAIN: Final = _TEXT | _REORDERING


def line_of(text: str) -> str:
    r"""One line, whoever wrote it: control characters are shown, and nothing turns around what stands beside it.

    >>> line_of("a\nb\x1b\u202e")
    'a b␛\\u202e'
    """
    return text.replace("\r\n", " ").translate(_LINE)


def text_of(text: str, *, plain: bool) -> str:
    """Several lines, control characters shown. ``plain``: marks that reorder what stands around them, too: where the
    text is no paragraph of its own."""
    return text.replace("\r\n", "\n").translate(_PLAIN if plain else _TEXT)


def is_rtl(text: str) -> bool:
    """Whether any of it is written from right to left."""
    return any(unicodedata.bidirectional(sign) in ("R", "AL", "AN") for sign in text)


def width(text: str) -> int:
    """Columns that it takes where letters are of one width: two for wide ones, none for marks on the one before."""
    return sum(
        0
        if unicodedata.combining(sign) or unicodedata.category(sign) in ("Cf", "Me", "Mn")
        else 2
        if unicodedata.east_asian_width(sign) in ("F", "W")
        else 1
        for sign in text
    )
