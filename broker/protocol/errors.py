"""What can go wrong with frames: the peer broke the protocol, or we tried to.

``RemoteProtocolError`` carries the GOODBYE to answer with, so that whoever does the I/O needs to know
nothing about the mistake.
"""

from __future__ import annotations

from broker.codes import Close
from broker.protocol.frames import COME_BACK, GO_TO, STOP, Goodbye

_TEXT_BYTES = 512  # the schema's bound on GOODBYE.text


def goodbye(code: Close, text: str, *, retry_ms: int | None = None, url: str | None = None) -> Goodbye:
    """A GOODBYE whose action follows from its code (or from ``url``, where there is a better place).

    >>> goodbye(Close.SHUTDOWN, "restarting", retry_ms=2000)
    Goodbye(code=4000, text='restarting', action=1, retry_ms=2000, url=None)
    """
    action = GO_TO if url is not None else COME_BACK if code.come_back else STOP
    short = text.encode()[:_TEXT_BYTES].decode(errors="ignore")
    return Goodbye(int(code), short, action, retry_ms, url)


class ProtocolError(Exception):
    """Either end broke the protocol."""


class LocalProtocolError(ProtocolError):
    """Our own caller asked for a frame that the protocol does not allow; nothing was sent."""


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes or frames that the protocol does not allow.

    ``text`` is for a developer's eyes and holds nothing of what the peer sent but names the protocol knows.
    """

    def __init__(self, text: str, code: Close = Close.PROTOCOL) -> None:
        super().__init__(text)
        self.text = text
        self.code = code

    @property
    def farewell(self) -> Goodbye:
        """What to answer before closing."""
        return goodbye(self.code, self.text)
