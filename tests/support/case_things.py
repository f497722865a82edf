"""What the naive casework is made of: representatives, and dossiers that keep the whole story of a case."""

from __future__ import annotations

import attrs

from broker.content import Ref

CHAT, QUESTION = "live_chat", "support_request"


@attrs.define
class Clerk:
    """A representative."""

    name: str
    team: str
    called: Ref
    room: int
    chosen: str = "offline"
    connected: bool = False
    lease: int | None = None
    hold: int | None = None
    seen: int = 0

    @property
    def there(self) -> bool:
        """Whether offers may be made to it."""
        return self.chosen == "available" and self.connected


@attrs.define(eq=False)
class Dossier:
    """A case, and all that happened to it."""

    request: str
    number: int
    visitor: str
    portal: str
    line: str
    created: int
    listed: int
    name: Ref | None = None
    email: Ref | None = None
    text: Ref | None = None
    question: Ref | None = None
    pin: bool = False
    kind: str = CHAT
    status: str = "unassigned"
    reason: str = "opened"
    version: int = 1
    who: str | None = None
    ended: int | None = None
    resolved: int | None = None
    moved: int = 0
    """When its status or its representative last changed."""
    outcome: str | None = None
    rated: int | None = None
    mails: list[str] = attrs.field(factory=list)
    """Those on their way."""
    mailed: int = 0
    had: bool = False
    """Whether anybody ever had it."""
    got: int = 0
    """The step at which whoever has it got it."""
    story: list[tuple[int, str]] = attrs.field(factory=list)
    """(since when, what its customer is doing: waits, talks, hopes for an answer, or nothing that counts)."""
    said: set[str] = attrs.field(factory=set)
    """The contents that go with it."""

    @property
    def case(self) -> str:
        """Its id."""
        return f"k_{self.request[2:]}"

    @property
    def session(self) -> str:
        """Its conversation."""
        return f"s_{self.request[2:]}"

    @property
    def live(self) -> bool:
        """Whether its customer waits or talks."""
        return self.ended is None

    @property
    def answerable(self) -> bool:
        """Whether there is a question, and an address to answer it to."""
        return self.email is not None and (self.text is not None or self.question is not None)

    @property
    def over(self) -> int | None:
        """Since when nothing is left to do."""
        return None if self.ended is None or self.resolved is None else max(self.ended, self.resolved)

    @property
    def rests(self) -> int | None:
        """Since when nobody does anything about it, where that is all right: not while its customer is there, or waits
        for an answer."""
        if self.live or (self.kind == QUESTION and self.status != "resolved"):
            return None
        return max(self.ended or 0, self.moved)

    @property
    def talked(self) -> bool:
        """Whether anybody ever had it, for any time."""
        return self.who is not None or self.kind == QUESTION or self.spent(self.ended or 0)["talks"] > 0

    def doing(self) -> str:
        """What counts of its time now."""
        if self.kind == QUESTION:
            return "nothing" if self.status == "resolved" else "hopes"
        if not self.live:
            return "nothing"
        return "waits" if self.who is None else "talks"

    def spent(self, now: int) -> dict[str, int]:
        """How long each thing went on by now (ms)."""
        ends = [since for since, _ in self.story[1:]] + [now]
        spent = dict.fromkeys(("waits", "talks", "hopes", "nothing"), 0)
        for (since, what), end in zip(self.story, ends, strict=True):
            spent[what] += end - since
        return spent

    def clock(self, now: int) -> tuple[str, int, bool]:
        """G6: (what is counted, how much of it by now, whether it goes on)."""
        spent = self.spent(now)
        runs = self.doing() != "nothing"
        if self.kind == QUESTION:
            return "request", spent["waits"] + spent["hopes"], runs
        if self.who is None:
            return "waiting", spent["waits"], runs
        return "chat", spent["talks"], runs
