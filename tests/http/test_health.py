from trio.testing import MockClock

from broker.http.health import Readiness, Status, health
from tests.http.hub import browser, header, serving


def status(*, ready: bool = True, reason: str = "") -> Status:
    return Status(
        version="1.2.3",
        ready=lambda: Readiness(ready, reason),
        metrics=lambda accept: (f"# asked with {accept}\n".encode(), "text/x-metrics"),
    )


async def test_alive_even_when_not_ready(autojump_clock: MockClock) -> None:
    async with serving(health(status(ready=False))) as hub:
        response, body = await browser(hub).get("/healthz")
        assert (response.status_code, body) == (200, b"ok\n")


async def test_ready(autojump_clock: MockClock) -> None:
    async with serving(health(status())) as hub:
        response, body = await browser(hub).get("/readyz")
        assert (response.status_code, body) == (200, b"ready\n")


async def test_not_ready_says_why_and_when_to_ask_again(autojump_clock: MockClock) -> None:
    async with serving(health(status(ready=False, reason="the journal is being read"))) as hub:
        response, body = await browser(hub).get("/readyz")
        assert (response.status_code, body) == (503, b"not ready: the journal is being read\n")
        assert header(response, "retry-after") == "2"


async def test_metrics_come_in_the_form_that_is_asked_for(autojump_clock: MockClock) -> None:
    async with serving(health(status())) as hub:
        response, body = await browser(hub).get("/metrics", Accept="application/openmetrics-text")
        assert header(response, "content-type") == "text/x-metrics"
        assert body == b"# asked with application/openmetrics-text\n"
