"""Customers, representatives and managers for set-up: they sign in and ask over real sockets, blocking.

It speaks the wire protocol with msgpack alone, not with the broker's classes, so that a mistake in those can't hide.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs
import msgpack  # type: ignore[import-untyped]

from bench.load.ws import Refused, Socket, connect, frame

PATH: Final = "/v1/ws"
PROTOCOL: Final = "huntgroup.v1.msgpack"
HELLO, WELCOME, GOODBYE, PING, PONG, REQUEST, RESULT, FAIL, EVENT = 0, 1, 2, 3, 4, 16, 17, 18, 32
EVENTS_AWAITED: Final = 1000  # frames read in search of one event
RUN: Final = os.urandom(4).hex()
_ids = itertools.count(1)
_pack = msgpack.Packer().pack


@attrs.define(eq=False)
class Person:
    """One signed-in connection."""

    socket: Socket
    events: list[list[Any]] = attrs.field(factory=list)
    """EVENT frames that came while something else was awaited."""

    def send(self, *parts: object) -> None:
        """One frame in one message."""
        self.socket.send(_pack(list(parts)))

    def receive(self) -> list[list[Any]]:
        """The frames of the next message; pings are answered on the way."""
        unpacker = msgpack.Unpacker(max_buffer_size=4 << 20)
        unpacker.feed(self.socket.receive()[1])
        found: list[list[Any]] = list(unpacker)
        for item in found:
            if item[0] == PING:
                self.send(PONG, *item[1:3])
            elif item[0] == GOODBYE:
                raise Refused(f"the broker said goodbye: {item[1:]}")
        return found

    def ask(self, op: str, args: Mapping[str, object] | None = None) -> dict[str, Any]:
        """One REQUEST and its RESULT's value. Raises ``Refused`` on FAIL."""
        number = self.ask_nowait(op, args)
        return self.answer(number)

    def ask_nowait(self, op: str, args: Mapping[str, object] | None = None) -> int:
        """Send a REQUEST, to be awaited by ``answer``; its id."""
        number = next(_ids)
        self.socket.send(request(op, args or {}, number))
        return number

    def answer(self, number: int) -> dict[str, Any]:
        """The value of the RESULT with this id."""
        value: dict[str, Any] | None = None
        while value is None:
            for item in self.receive():
                if item[0] == EVENT:
                    self.events.append(item)
                elif item[0] == FAIL and item[1] == number:
                    raise Refused(f"the broker refused: {item[2:]}")
                elif item[0] == RESULT and item[1] == number:
                    value = item[2]
        return value

    def event(self, kind: str) -> dict[str, Any]:
        """The data of the next EVENT of this type."""
        for _ in range(EVENTS_AWAITED):
            for i, item in enumerate(self.events):
                if item[3] == kind:
                    del self.events[: i + 1]
                    data: dict[str, Any] = item[5]
                    return data
            self.events.extend(item for item in self.receive() if item[0] == EVENT)
        raise Refused(f"no {kind} event came")

    def subscribe(self, stream: str) -> None:
        """Follow a stream from now on."""
        self.ask("subscribe", {"stream": stream, "from": "now"})

    def hand_over(self) -> int:
        """Its descriptor, for the C programs."""
        return self.socket.hand_over()


def request(op: str, args: Mapping[str, object], number: int) -> bytes:
    """REQUEST's payload, with a key of its own."""
    packed: bytes = _pack([REQUEST, number, op, args, f"{RUN}-{number}"])
    return packed


def canned_request(op: str, args: Mapping[str, object]) -> bytes:
    """A whole client frame with a REQUEST, its id and key never used before."""
    return frame(request(op, args, next(_ids)))


def sign_in(port: int, auths: Iterable[Mapping[str, object]]) -> list[Person]:
    """One signed-in person for each ``auth`` map. All HELLOs go out before the first WELCOME is awaited."""
    people = []
    for auth in auths:
        person = Person(connect(port, PATH, PROTOCOL))
        person.send(HELLO, [1], [], dict(auth), {"name": "bench"})
        people.append(person)
    for person in people:
        kinds = [item[0] for item in person.receive()]
        if kinds[:1] != [WELCOME]:
            raise Refused(f"no WELCOME, but frames of the kinds {kinds}")
    return people


def everyone(people: Iterable[Person], op: str, args: Mapping[str, object]) -> None:
    """Everybody asks the same, all at once; waits for all answers."""
    asked = [(person, person.ask_nowait(op, args)) for person in people]
    for person, number in asked:
        person.answer(number)
