"""What an end of a share is told of its media, by each back-end."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, cast

import attrs
import pytest

from broker.identity import turn
from broker.identity.media import End, Link, Media, WebRtc
from broker.identity.secrecy import Secret
from broker.protocol.check import check_result

NORTH = Secret("north-north-north")
NOW = 1_700_000_000_123
END = End(account="acme", share="h_1.1", side="customer", control=True, functions=("chat", "control"))
STUN, TURN = ("stun:s.example",), ("turn:t.example:3478?transport=udp", "turns:t.example")
LINK = Link(template="https://desk.example/{share}?t={token}", secret=NORTH)
GRANT = {"view": True, "control": True, "functions": ["chat", "control"]}


def test_webrtc_has_servers_and_a_credential_of_this_ends_own() -> None:
    told = WebRtc(stun=STUN, turn=TURN, secret=NORTH, life=60_000).describe(END, NOW)
    until = 1_700_000_060
    username, password = turn.credential(NORTH, until, turn.opaque(NORTH, "acme", "h_1.1", "customer"))
    assert told == {
        "backend": "webrtc",
        "ice": [{"urls": list(STUN)}, {"urls": list(TURN), "username": username, "credential": password}],
        "until": until * 1000,
    }
    other = WebRtc(turn=TURN, secret=NORTH, life=60_000).describe(attrs.evolve(END, side="representative"), NOW)
    assert cast("list[dict[str, object]]", other["ice"])[0]["username"] != username


@pytest.mark.parametrize(("backend", "ice"), [(WebRtc(), []), (WebRtc(stun=STUN), [{"urls": list(STUN)}])])
def test_without_a_relay_there_is_no_credential(backend: WebRtc, ice: list[object]) -> None:
    assert backend.describe(END, NOW) == {"backend": "webrtc", "ice": ice, "until": 1_700_003_600_000}


def opened(url: str, secret: str) -> dict[str, Any]:
    """The claims of the token in an address, once its signature is checked as RFC 7519 has it."""
    head, _, mark = url.partition("?t=")[2].rpartition(".")
    made = base64.urlsafe_b64encode(hmac.new(secret.encode(), head.encode(), hashlib.sha256).digest()).rstrip(b"=")
    assert made.decode() == mark
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in head.split("."))
    assert header == {"alg": "HS256", "typ": "JWT"}
    found: dict[str, Any] = claims
    return found


def test_a_link_has_a_signed_token_for_a_short_time() -> None:
    told = LINK.describe(END, NOW)
    url = str(told["url"])
    assert url.startswith("https://desk.example/h_1.1?t=")
    claims = opened(url, NORTH.reveal())
    assert (claims["iat"], claims["exp"], told["until"]) == (1_700_000_000, 1_700_000_120, 1_700_000_120_000)
    assert (claims["account"], claims["share"], claims["side"]) == ("acme", "h_1.1", "customer")
    assert claims["grant"] == GRANT
    assert claims["iss"] == "huntgroup"
    with pytest.raises(AssertionError):
        opened(url, "another-secret-than-that")


def test_guests_of_one_share_are_told_apart() -> None:
    guests = [attrs.evolve(END, side="guest", leg=f"h_1.1.{number}") for number in (1, 2)]
    claims = [opened(str(LINK.describe(one, NOW)["url"]), NORTH.reveal()) for one in (*guests, END)]
    assert len({one["sub"] for one in claims}) == 3
    assert {one["share"] for one in claims} == {"h_1.1"}
    webrtc = WebRtc(turn=TURN, secret=NORTH)
    servers = [cast("list[dict[str, object]]", webrtc.describe(one, NOW)["ice"]) for one in (*guests, END)]
    assert len({one[0]["username"] for one in servers}) == 3


@pytest.mark.parametrize("backend", [WebRtc(stun=STUN, turn=TURN, secret=NORTH), WebRtc(), LINK])
def test_what_is_told_is_what_the_protocol_says(backend: Media) -> None:
    told = {**backend.describe(END, NOW), "grant": GRANT}
    check_result("share.join", told)


@pytest.mark.parametrize("backend", [WebRtc(stun=STUN, turn=TURN, secret=NORTH), LINK])
def test_a_back_end_does_not_show_its_secret(backend: Media) -> None:
    assert NORTH.reveal() not in repr(backend)


def test_a_grants_functions_may_be_all_there_are() -> None:
    told: Mapping[str, object] = LINK.describe(attrs.evolve(END, functions=tuple("abcdefghij")), NOW)
    assert len(str(told["url"])) < 2048
