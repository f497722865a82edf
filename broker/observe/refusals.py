"""Metrics of everybody who is turned away or refused, by reason, from the first packet to the last command."""

from __future__ import annotations

from collections.abc import Iterator

from broker.observe.metrics import Source, tallied
from broker.runtime.hub import Hub
from broker.transport.base import Transport


def refusals(hub: Hub, transport: Transport) -> Iterator[Source]:
    """One source a door, in the order in which they are passed."""
    yield tallied("refused_sockets", "reason", transport.refusals)
    yield tallied("refused_addresses", "reason", lambda: hub.admission.refusals)
    yield tallied("refused_connections", "reason", lambda: hub.peers.refusals)
    yield tallied("refused_sign_ins", "reason", lambda: hub.entrance.sign_in.refusals)
    yield tallied("refused_requests", "code", lambda: hub.answers.refusals)
    yield tallied("shed", "rank", lambda: hub.requests.sheds)
    yield tallied("pins", "what", lambda: {"wrong": hub.pin_guard.wrong_pins, "held_back": hub.pin_guard.refused})
