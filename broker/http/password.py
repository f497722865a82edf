"""The pages behind a link in an e-mail: choose a password, or ask for such a link. Plain forms, no script.

What they do is handed in by the caller; a token is shown to nobody but who came with it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from html import escape
from typing import Final
from urllib.parse import parse_qs

import attrs

from broker.http.server import SECURITY_HEADERS, App, Request, Response

STYLE: Final = """
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 26rem; margin: 4rem auto; padding: 0 1rem; }
body { color: #1c2733; background: #ffffff; }
label { display: block; margin: 1rem 0 .25rem; }
input, select, button { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; }
input, select { border: 1px solid #6b7885; border-radius: .3rem; background: inherit; color: inherit; }
button { margin-top: 1.5rem; border: 0; border-radius: .3rem; background: #0b57a4; color: #ffffff; }
.wrong { color: #a4130b; }
a { color: #0b57a4; }
@media (prefers-color-scheme: dark) {
  body { color: #e6ebf0; background: #12181f; } a { color: #8cc4ff; } .wrong { color: #ff9d94; }
  button { background: #8cc4ff; color: #12181f; }
}
"""
_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY: Final = (
    SECURITY_HEADERS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'")
    + f"; style-src 'sha256-{_HASH}'"
)
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Huntgroup</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""
_CHOOSE: Final = """<form method="post" action="/password">
<input type="hidden" name="token" value="{token}">
<label for="new">New password</label>
<input id="new" name="new" type="password" autocomplete="new-password" required autofocus>
<label for="again">The same again</label>
<input id="again" name="again" type="password" autocomplete="new-password" required>
<button>Set password</button>
</form>"""
_ASK: Final = """<form method="post" action="/password/forgot">
<label for="account">Account</label>
<input id="account" name="account" value="{account}" autocapitalize="off" required>
<label for="role">You are a</label>
<select id="role" name="role"><option value="representative">representative</option>
<option value="manager">manager</option></select>
<label for="email">E-mail address</label>
<input id="email" name="email" type="email" autocomplete="email" required>
<button>Send me a link</button>
</form>"""
_SENT: Final = """<p>If somebody has this address there, a letter with a link is on its way.
It is good for a day, and works once.</p>"""
_ANOTHER: Final = '<p><a href="/password/forgot">Ask for another link</a></p>'
ROLES: Final = ("representative", "manager")


@attrs.frozen(kw_only=True)
class Doors:
    """What the pages do."""

    known: Callable[[str], bool]
    """Whether a token may still set a password."""
    choose: Callable[[str, str, str], Awaitable[Sequence[str]]]
    """(token, password, the asker's address) to what is wrong; nothing where it is set."""
    forgot: Callable[[str, str, str, str], None]
    """(account, role, e-mail address, the asker's address)."""


def pages(doors: Doors) -> App:
    """``/password`` and ``/password/forgot``."""

    async def show(request: Request) -> Response:
        token = _fields(request.query).get("token", "")
        if not doors.known(token):
            return _gone()
        return _page("Choose a password", _CHOOSE.format(token=escape(token)))

    async def choose(request: Request) -> Response:
        given = _fields(request.body.decode("utf-8", "replace"))
        token, new = given.get("token", ""), given.get("new", "")
        if not doors.known(token):
            return _gone()
        objections = (
            ["the two are not the same"]
            if new != given.get("again")
            else await doors.choose(token, new, request.address)
        )
        if not objections:
            return _page("Your password is set", "<p>You can sign in with it now.</p>")
        wrong = "".join(f"<li>{escape(one.removeprefix('password: '))}</li>" for one in objections)
        body = f'<ul class="wrong" role="alert">{wrong}</ul>{_CHOOSE.format(token=escape(token))}'
        return _page("Choose a password", body, status=422)

    async def ask(request: Request) -> Response:
        return _page("Forgot your password?", _ASK.format(account=escape(_fields(request.query).get("account", ""))))

    async def send(request: Request) -> Response:
        given = _fields(request.body.decode("utf-8", "replace"))
        if given.get("role") in ROLES:
            doors.forgot(given.get("account", ""), given["role"], given.get("email", "").strip(), request.address)
        return _page("Look into your mail", _SENT)

    return {"/password": {"GET": show, "POST": choose}, "/password/forgot": {"GET": ask, "POST": send}}


def _fields(text: str) -> dict[str, str]:
    """The first value of each field of a form or a query."""
    try:
        found = parse_qs(text, keep_blank_values=True, max_num_fields=16)
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items()}


def _gone() -> Response:
    body = f"<p>This link was used, or its time is over.</p>{_ANOTHER}"
    return _page("This link doesn't work any more", body, status=410)


def _page(title: str, body: str, *, status: int = 200) -> Response:
    return Response(
        status=status,
        body=_PAGE.format(title=escape(title), style=STYLE, body=body).encode(),
        content_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": _POLICY},
    )
