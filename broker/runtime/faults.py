"""Where bugs are caught, so that one bad peer or one broken account doesn't stop the others.

The only ``except Exception`` of the hub. Whoever asked gets FAIL 5500 with a correlation id that the log has too; a
desk that was in the middle of something is not trusted any more and is read anew from the journal.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial

from broker.ids import token
from broker.runtime.account import Account
from broker.runtime.answers import Answers
from broker.runtime.connection import Connection
from broker.runtime.log import Tell

_CORRELATION_BYTES = 10


class Faults:
    """Runs calls that may meet a bug."""

    def __init__(self, *, answers: Answers, entropy: Callable[[int], bytes], tell: Tell) -> None:
        self._answers = answers
        self._entropy = entropy
        self._tell = tell
        self.met = 0
        """Bugs met so far."""
        self.touched: Callable[[], Account | None] = lambda: None
        """Says (once) in which account's desk something was under way."""
        self.distrust: Callable[[Account], None] = lambda account: None
        """Has an account read anew."""

    def run(
        self, call: Callable[[], None], connection: Connection | None = None, lost: Callable[[str], None] | None = None
    ) -> bool:
        """Make the call; False where it met a bug. Who asks on ``connection`` is answered, ``lost`` is told the
        correlation id."""
        try:
            call()
        except Exception as exc:
            correlation = self._met(exc, connection)
            if lost is not None:
                self.run(partial(lost, correlation))
            return False
        return True

    def _met(self, exc: Exception, connection: Connection | None) -> str:
        self.met += 1
        correlation = token(self._entropy(_CORRELATION_BYTES))
        frame = traceback.extract_tb(exc.__traceback__)[-1]
        at = f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}"
        self._tell("error", "hub.fault", correlation=correlation, error=type(exc).__name__, at=at)
        account = self.touched()
        if account is not None:
            self.distrust(account)
        if connection is not None and connection.asking:
            self._answers.broke(connection, connection.asking, correlation)
            connection.asking = 0
        return correlation
