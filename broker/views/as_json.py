"""A transcript as JSON, an entry on each line: the form that can be verified (``verify``)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from broker.views.chain import FORMAT, Entry


def begin(about: Mapping[str, object]) -> str:
    """Before the entries. What it is about is in the head, which is signed."""
    return f'{{"huntgroup_transcript": {FORMAT},\n"entries": [\n'


def piece(entry: Entry, zone: str | None) -> str:
    """One entry."""
    return f"{'' if entry['n'] == 1 else ',' + chr(10)}{_dumped(entry)}"


def end(head: Mapping[str, object], key: str, signature: str) -> str:
    """The head and its signature."""
    between = "\n" if head["entries"] else ""
    return f'{between}],\n"head": {_dumped(head)},\n"key": "{key}",\n"signature": "{signature}"}}\n'


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
