"""Who goes first when there is too much: one table of every operation, and what each rank may still use.

``docs/explanation/overload.md`` says what clients see of it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from broker.protocol import ops
from broker.runtime.rates import Bucket


class Rank(IntEnum):
    """What is shed first has the lowest."""

    REPORT = 0
    """Reports and history: whoever asks can ask again later."""
    NEW = 1
    """What makes more work: new requests, pins."""
    TALK = 2
    """What goes on: conversations, configuration, coming back."""
    VITAL = 3
    """What ends, frees or revokes, consent, staying signed in: refused only at twice the bound, where memory ends."""


BACKLOG: Final = {Rank.REPORT: 0.25, Rank.NEW: 0.5, Rank.TALK: 1.0, Rank.VITAL: 2.0}
"""Rank to the share of ``OPEN_BATCH_RECORDS`` that may wait for the journal while it is still admitted."""
RESERVE: Final = {Rank.REPORT: 0.5, Rank.NEW: 0.25, Rank.TALK: 0.1, Rank.VITAL: 0.0}
"""Rank to the share of an account's burst that it leaves to the ranks above."""

RANKS: Final[dict[str, Rank]] = {
    "account.get": Rank.REPORT,
    "case.list": Rank.REPORT,
    "case.get": Rank.REPORT,
    "case.search": Rank.REPORT,
    "customer.export": Rank.REPORT,
    "meta.schema": Rank.REPORT,
    "account.export": Rank.REPORT,
    "function.effective": Rank.REPORT,
    "key.list": Rank.REPORT,
    "sign_in.list": Rank.REPORT,
    "block.list": Rank.REPORT,
    "pin.list": Rank.REPORT,
    "reply.list": Rank.REPORT,
    "request.why": Rank.REPORT,
    "transcript.get": Rank.REPORT,
    "file.get": Rank.REPORT,
    "file.list": Rank.REPORT,
    "file.begin": Rank.NEW,
    "file.chunk": Rank.NEW,
    "pin.create": Rank.NEW,
    "pin.redeem": Rank.NEW,
    "portal.open": Rank.NEW,
    "request.create": Rank.NEW,
    "case.assign": Rank.TALK,
    "case.take": Rank.TALK,
    "case.resolve": Rank.TALK,
    "case.reopen": Rank.TALK,
    "case.mail": Rank.TALK,
    "cases.seen": Rank.TALK,
    "case.delete": Rank.VITAL,
    "request.convert": Rank.VITAL,
    "portal.put": Rank.TALK,
    "account.put": Rank.TALK,
    "file.finish": Rank.TALK,
    "key.create": Rank.TALK,
    "manager.put": Rank.TALK,
    "password.link": Rank.TALK,
    "portal.delete": Rank.TALK,
    "service.put": Rank.TALK,
    "team.delete": Rank.TALK,
    "representative.put": Rank.TALK,
    "request.classify": Rank.TALK,
    "request.pick": Rank.TALK,
    "session.transfer": Rank.TALK,
    "session.invite": Rank.TALK,
    "session.monitor": Rank.TALK,
    "chat.send": Rank.TALK,
    "chat.typing": Rank.TALK,
    "chat.read": Rank.TALK,
    "note.add": Rank.TALK,
    "session.outcome": Rank.TALK,
    "session.rate": Rank.TALK,
    "session.describe": Rank.TALK,
    "share.request": Rank.TALK,
    "share.ask_control": Rank.TALK,
    "share.reboot": Rank.TALK,
    "share.join": Rank.TALK,
    "subportal.put": Rank.TALK,
    "subscribe": Rank.TALK,
    "team.put": Rank.TALK,
    "reply.put": Rank.TALK,
    "reply.delete": Rank.TALK,
    "auth.refresh": Rank.VITAL,
    "offer.accept": Rank.VITAL,
    "offer.decline": Rank.VITAL,
    "offer.revoke": Rank.VITAL,
    "session.remove": Rank.VITAL,
    "session.monitor_end": Rank.VITAL,
    "pin.revoke": Rank.VITAL,
    "file.cancel": Rank.VITAL,
    "key.revoke": Rank.VITAL,
    "manager.delete": Rank.VITAL,
    "password.set": Rank.VITAL,
    "representative.delete": Rank.VITAL,
    "service.delete": Rank.VITAL,
    "sign_in.end": Rank.VITAL,
    "presence.set": Rank.VITAL,
    "request.withdraw": Rank.VITAL,
    "session.end": Rank.VITAL,
    "session.leave": Rank.VITAL,
    "share.accept": Rank.VITAL,
    "share.confirm": Rank.VITAL,
    "share.decline": Rank.VITAL,
    "share.stop": Rank.VITAL,
    "share.control": Rank.VITAL,
    "share.started": Rank.VITAL,
    "unsubscribe": Rank.VITAL,
    "block.end": Rank.VITAL,
    "visitor.block": Rank.VITAL,
    "wrap_up.end": Rank.VITAL,
}
"""Every operation, once. ``subscribe`` is a report where it asks for the past of a stream that isn't one's own."""

_OWN: Final = ("me", "session:")


def rank_of(command: ops.Command) -> Rank:
    """What this command counts as; one that the table doesn't know is ordinary."""
    if isinstance(command, ops.Subscribe) and command.from_ != "now" and not command.stream.startswith(_OWN):
        return Rank.REPORT
    return RANKS.get(command.OP, Rank.TALK)


def spare(budget: Bucket, rank: Rank, now: int) -> int:
    """Take one command of an account's budget and return 0; or the ms until this rank may have one again."""
    wait = budget.wait(now, 1 + RESERVE[rank] * (budget.burst - 1))
    if wait and rank is not Rank.VITAL:
        return wait
    budget.take(now)
    return 0
