"""Each refusal is counted in metrics, by reason, and the reasons are a fixed set."""

from __future__ import annotations

import re

import pytest
from trio.testing import MockClock

from broker.observe.metrics import Metrics
from broker.observe.refusals import refusals
from broker.runtime.options import Options
from tests.runtime.harness import Broker, Ended, Refused, broker


def told(b: Broker) -> dict[str, float]:
    """Every count that isn't 0."""
    text = Metrics(refusals(b.hub, b.transport)).render()[0].decode()
    found = re.findall(r'^huntgroup_(\w+)_count_total\{\w+="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {f"{name}.{reason}": float(count) for name, reason, count in found if float(count)}


def labels(b: Broker) -> set[str]:
    return set(re.findall(r"^\w+\{\w+=\"\w+\"\}", Metrics(refusals(b.hub, b.transport)).render()[0].decode(), re.M))


async def test_every_refusal_is_counted_by_its_reason(autojump_clock: MockClock) -> None:
    async with broker(Options(allowed_origins=frozenset({"https://a.example"}))) as b:
        before = labels(b)
        assert told(b) == {}
        for auth in ({"token": "x"}, {"token": b.token("acme", "nobody", "representative")}, {"portal": "acme/none"}):
            with pytest.raises(Ended):
                await b.connect(auth)
        with pytest.raises(Ended):
            await b.customer(origin="https://b.example")
        b.transport.dial().give(b"\x16\x03\x01 this is no HTTP")
        carl = await b.customer("acme/pin")
        for op in ("no.such", "account.get", "pin.redeem"):
            with pytest.raises(Refused):
                await carl.write(op, pin="123456789")
        assert told(b) == {
            "refused_sockets.bad_head": 1,
            "refused_sign_ins.origin": 1,
            "refused_sign_ins.credential": 3,
            "refused_requests.no_such": 1,
            "refused_requests.not_allowed": 1,
            "refused_requests.pin_invalid": 1,
            "pins.wrong": 1,
        }
        assert labels(b) == before
