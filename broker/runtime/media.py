"""``share.join``: what an end of a share needs for its media, made when it is asked for and kept nowhere."""

from __future__ import annotations

from broker.codes import Code
from broker.desk import functions
from broker.desk.outcome import Refusal
from broker.identity.media import End, Media
from broker.protocol import ops
from broker.runtime.answers import Answers
from broker.runtime.clock import Clock
from broker.runtime.conductor import Conductor
from broker.runtime.connection import Connection


class Hand:
    """Hands it out."""

    def __init__(self, media: Media, clock: Clock, answers: Answers, conductor: Conductor, *, retry_most: int) -> None:
        self._media = media
        self._clock = clock
        self._answers = answers
        self._conductor = conductor
        self._retry = retry_most

    def join(self, connection: Connection, number: int, command: ops.ShareJoin) -> None:
        """Answer an end of a share, or a guest who looks, with consent alone. The answer waits for that to be on disk.
        The customer's end, if it was waited for after a restart, is back by asking; a guest has its leg."""
        account, identity = connection.account, connection.identity
        assert account is not None
        assert identity is not None
        desk = account.desk
        share = desk.refuse(identity, command) or desk.share_to_join(identity, command.share)
        if isinstance(share, Refusal):
            self._answers.fail(connection, number, share.code, share.text, detail=share.detail)
            return
        if (first := desk.joins(identity, share)) is not None:
            if self._conductor.paused:
                text = "the journal takes no writes now"
                self._answers.at_once(connection, number, Code.JOURNAL_DOWN, text, retry_ms=self._retry)
                return
            self._conductor.carry_out(account, first, None)
        side = desk.side(identity, share)
        end = End(
            account=account.name,
            share=share.share,
            side=side.side,
            leg=side.leg,
            control=side.control,
            functions=side.functions,
        )
        grant = functions.grant(side.functions, control=side.control)
        told: dict[str, object] = {**self._media.describe(end, self._clock.now()), "grant": grant}
        if side.leg is not None:
            told["leg"] = side.leg
        self._answers.result(connection, number, told)
