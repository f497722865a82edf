"""From the media and ice sections to what describes media: a secret from its file, and nothing that is half there."""
# covers: broker/config/media_settings.py
# covers: broker/config/secret_file.py

from __future__ import annotations

from pathlib import Path

import pytest

from broker.config import Config, ConfigError, load
from broker.config.media import media
from broker.identity.media import Link, WebRtc
from broker.identity.secrecy import Secret

SECRET = "Tr0mbone-correct-horse"
ICE = '[ice]\nurls = ["stun:s.example", "turn:[2001:db8::1]:3478?transport=udp", "turns:t.example"]\n'
LINK = '[media]\nbackend = "link"\nlink_url = "https://desk.example/?t={token}"\n'


def configured(folder: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    path = folder / "huntgroup.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ)


def test_without_anything_two_ends_find_each_other_by_themselves() -> None:
    assert media(Config()) == WebRtc()


def test_servers_and_their_secret_reach_what_hands_out_credentials(tmp_path: Path) -> None:
    found = media(configured(tmp_path, f'{ICE}turn_secret = "{SECRET}"\nturn_ms = 60000\n'))
    assert found == WebRtc(
        stun=("stun:s.example",),
        turn=("turn:[2001:db8::1]:3478?transport=udp", "turns:t.example"),
        secret=Secret(SECRET),
        life=60_000,
    )


def test_a_link_has_its_address_and_secret(tmp_path: Path) -> None:
    found = media(configured(tmp_path, f'{LINK}link_secret = "{SECRET}"\nlink_ms = 10000\n'))
    assert found == Link(template="https://desk.example/?t={token}", secret=Secret(SECRET), life=10_000)


@pytest.mark.parametrize(
    ("text", "name", "variable"),
    [
        (ICE, "turn_secret_file", "HUNTGROUP_ICE_TURN_SECRET"),
        (LINK, "link_secret_file", "HUNTGROUP_MEDIA_LINK_SECRET"),
    ],
)
def test_a_secret_comes_from_the_variable_or_a_file(tmp_path: Path, text: str, name: str, variable: str) -> None:
    (tmp_path / "word").write_text(f"{SECRET}\nand a second line\n")
    text = f'{text}{name} = "word"\n'
    found = media(configured(tmp_path, text))
    assert isinstance(found, WebRtc | Link)
    assert found.secret == Secret(SECRET)
    found = media(configured(tmp_path, text, {variable: "another-0ne-of-those"}))
    assert isinstance(found, WebRtc | Link)
    assert found.secret == Secret("another-0ne-of-those")


@pytest.mark.parametrize(
    "content", [b"", b"too short", b"two words that are long", "pässword".encode() * 4, b"x" * 256]
)
def test_a_file_without_a_secret_is_named_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "word").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        media(configured(tmp_path, f'{ICE}turn_secret_file = "word"\n'))
    assert str(caught.value).endswith(
        "ice.turn_secret_file: expected 16 to 255 printable ASCII characters on its first line"
    )


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"media\.link_secret_file: can't be read: No such file"):
        media(configured(tmp_path, f'{LINK}link_secret_file = "none"\n'))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ICE, "ice.turn_secret: expected one with TURN servers in ice.urls, got nothing"),
        (f'[ice]\nturn_secret = "{SECRET}"', "ice.urls: expected a TURN server with ice.turn_secret, got none"),
        (f"[ice]\nurls = {['stun:s.example'] * 9}", "ice.urls: expected at most 8, got 9"),
        (LINK, "media.link_secret: expected one with media.backend link, got nothing"),
        ('[media]\nbackend = "link"', "media.link_url: expected an address with media.backend link, got nothing"),
    ],
)
def test_what_is_half_there_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        media(configured(tmp_path, text))
    assert caught.value.problems == [problem]
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '[ice]\nurls = ["http://t.example"]',
        '[ice]\nurls = ["turn:t.example?transport=sctp"]',
        '[ice]\nurls = ["turn:user@t.example"]',
        '[ice]\nturn_secret = "too short"',
        '[media]\nlink_url = "https://desk.example/"',
        '[media]\nlink_url = "https://desk.example/{token}/{token}"',
        '[media]\nlink_url = "desk.example/{token}"',
        '[media]\nbackend = "smoke"',
    ],
)
def test_what_is_no_server_no_secret_or_no_address_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, text)
    assert "expected" in caught.value.problems[0]
    assert "too short" not in str(caught.value)
