"""Is it alive, is it ready, what does it count: for supervisors, load balancers and Prometheus."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from broker import limits
from broker.http.server import App, Request, Response, plain


@attrs.frozen
class Readiness:
    """Whether the broker serves."""

    ready: bool
    reason: str = ""
    """What it waits for; shown to whoever asks, so no secrets."""


@attrs.frozen(kw_only=True)
class Status:
    """What the pages may know of the broker, asked anew for each request."""

    version: str
    ready: Callable[[], Readiness]
    metrics: Callable[[str], tuple[bytes, str]]
    """For an ``Accept`` header: the body and its content type."""


def health(status: Status) -> App:
    """``/healthz`` (the process turns), ``/readyz`` (it serves, or 503 and why not) and ``/metrics``."""

    async def healthz(_: Request) -> Response:
        return plain(200, "ok")

    async def readyz(_: Request) -> Response:
        now = status.ready()
        if now.ready:
            return plain(200, "ready")
        return plain(503, f"not ready: {now.reason}", {"Retry-After": str(limits.COME_BACK // 1000)})

    async def metrics(request: Request) -> Response:
        body, content_type = status.metrics(request.headers.get("accept", ""))
        return Response(body=body, content_type=content_type)

    return {"/healthz": {"GET": healthz}, "/readyz": {"GET": readyz}, "/metrics": {"GET": metrics}}
