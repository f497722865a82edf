"""The settings of screen shares' media: which back-end, and the servers that help two ends to connect."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import attrs

from broker import limits
from broker.config import kinds
from broker.config.kinds import setting
from broker.identity.media import TOKEN
from broker.identity.secrecy import Secret
from broker.units import DAYS, MINUTES, SECONDS

LEAST_SECRET: Final = 16
"""Characters of a secret that signs: 16 random ones can't be guessed."""
_TEMPLATE: Final = re.compile(r"https?://[!-z|~{}]{1,1000}", re.ASCII)
_printable = rf"[!-~]{{{LEAST_SECRET},255}}"
_words = f"{LEAST_SECRET} to 255 printable ASCII characters"
_server = kinds.text(
    "an address like stun:turn.example.org or turns:turn.example.org:5349?transport=tcp",
    r"(?:stuns?|turns?):(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:\?transport=(?:udp|tcp))?",
)


def _is_template(text: str) -> bool:
    return _TEMPLATE.fullmatch(text) is not None and text.count(TOKEN) == 1


@attrs.frozen(kw_only=True)
class Media:
    """What carries the media of screen shares. The broker itself never does."""

    backend: str = setting(
        kinds.choice("webrtc", "link"),
        "webrtc: the two ends connect by themselves, with the servers of [ice]. link: another product has the media,"
        " and each end is sent to its address.",
        default="webrtc",
    )
    link_url: str | None = setting(
        kinds.perhaps(
            kinds.fitting("an address like https://desk.example.org/?token={token}, with {token} in it", _is_template)
        ),
        "The address of that product: {token} becomes a signed token (a JSON Web Token, HS256) that says which share it"
        " is, which side, and what is granted; {share}, if it is there, the share's id. Required with link.",
        default=None,
        example="https://desk.example.org/join?token={token}",
    )
    link_secret: Secret | None = setting(
        kinds.perhaps(kinds.secret(_words, _printable)),
        "What signs the tokens; the product knows it too. Better given by its variable or by link_secret_file than in"
        " this file. Wins over that.",
        default=None,
        example="not-this-one-either",
    )
    link_secret_file: Path | None = setting(
        kinds.perhaps(kinds.place("the path of a text file")),
        "A file with that secret on its first line; read at the start.",
        default=None,
        example="link-secret",
    )
    link_ms: int = setting(
        kinds.milliseconds(10 * SECONDS, 1 * DAYS),
        "How long a token is good to enter with.",
        default=limits.MEDIA_LINK_LIFE,
    )


@attrs.frozen(kw_only=True)
class Ice:
    """STUN and TURN servers for the media of screen shares. Without any, two ends find each other in one network
    only."""

    urls: tuple[str, ...] = setting(
        kinds.several(_server),
        "The servers, as WebRTC has them. TURN servers need turn_secret.",
        default=(),
        example=("stun:turn.example.org:3478", "turn:turn.example.org:3478?transport=udp"),
    )
    turn_secret: Secret | None = setting(
        kinds.perhaps(kinds.secret(_words, _printable)),
        "The TURN servers' shared secret: coturn's static-auth-secret. Better given by its variable or by"
        " turn_secret_file than in this file. Wins over that.",
        default=None,
        example="not-this-one-please",
    )
    turn_secret_file: Path | None = setting(
        kinds.perhaps(kinds.place("the path of a text file")),
        "A file with that secret on its first line; read at the start.",
        default=None,
        example="turn-secret",
    )
    turn_ms: int = setting(
        kinds.milliseconds(1 * MINUTES, 1 * DAYS),
        "How long a TURN credential is good. Clients ask for the next one by themselves.",
        default=limits.TURN_LIFE,
    )
