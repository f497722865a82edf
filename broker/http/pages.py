"""The front page: what answers here, and where the protocol is."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Final

from broker.http.health import Status, health
from broker.http.server import SECURITY_HEADERS, App, Request, Response
from broker.transport.upgrade import PATH, SUBPROTOCOL

_STYLE: Final = """
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 38rem; margin: 4rem auto; padding: 0 1rem; }
body { color: #1c2733; background: #ffffff; }
code { background: #eef2f6; padding: .1rem .3rem; border-radius: .2rem; }
a { color: #0b57a4; }
@media (prefers-color-scheme: dark) {
  body { color: #e6ebf0; background: #12181f; } code { background: #26313d; } a { color: #8cc4ff; }
}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = f"{SECURITY_HEADERS['Content-Security-Policy']}; style-src 'sha256-{_STYLE_HASH}'"

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Huntgroup</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>Huntgroup</h1>
<p>This is a Huntgroup broker, version {version}: it routes each customer's request to a representative.
It is {state}.</p>
<p>Clients talk to it over a WebSocket at <code>{path}</code>, subprotocol <code>{subprotocol}</code>.</p>
<ul>
<li><a href="/healthz">/healthz</a>: whether it is alive</li>
<li><a href="/readyz">/readyz</a>: whether it serves, and if not, why</li>
<li><a href="/metrics">/metrics</a>: what it counts, for Prometheus</li>
</ul>
</main>
</body>
</html>
"""


def pages(status: Status) -> App:
    """Every page of the broker: ``/`` and those of ``health``."""

    async def index(_: Request) -> Response:
        now = status.ready()
        state = "ready" if now.ready else f"not ready: {now.reason}"
        text = _PAGE.format(
            style=_STYLE, version=escape(status.version), state=escape(state), path=PATH, subprotocol=SUBPROTOCOL
        )
        return Response(
            body=text.encode(),
            content_type="text/html; charset=utf-8",
            headers={"Content-Security-Policy": _POLICY},
        )

    return {"/": {"GET": index}, **health(status)}
