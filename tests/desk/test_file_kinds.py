"""Which names may be told on, which types a portal means, and what a file of a type begins with."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.desk import file_kinds
from broker.desk.file_kinds import allowed, fits, is_type, wrong_name, wrong_patterns

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.mark.parametrize(
    "name",
    ["a.png", "Ärger mit der Rechnung (2).pdf", ".profile", "a..b", "写真.jpg", "👩‍💻.txt", " x ", "%2e%2e", "CON"],
)
def test_what_people_call_their_files_is_told_on(name: str) -> None:
    assert wrong_name(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..\\..\\boot.ini",
        "/etc/passwd",
        "C:\\x",
        "..",
        " . ",
        " ",
        "",
        "a\x00.png",
        "a\r\nX: y",
        "a\x7f",
        "a\x85b",
        "a\u2028b",
        "photo\u202egpj.exe",
        "a\ud800",
        "\ufeff",
        "\u200b\u200b",
        ".\u200b.",
    ],
)
def test_what_could_be_a_path_or_another_name_is_not(name: str) -> None:
    refusal = wrong_name(name)
    assert refusal is not None
    assert refusal.detail is not None
    assert refusal.detail["path"] == "args.name"


@given(st.text(max_size=30))
def test_a_name_that_passes_is_one_step_of_a_path_at_most(name: str) -> None:
    if wrong_name(name) is None:
        assert name not in ("", ".", "..")
        assert not set(name) & {"/", "\\", "\x00"}
        assert not any(unicodedata.category(one) == "Cc" for one in name)


@pytest.mark.parametrize("type_", ["image/png", "application/vnd.ms-excel", "image/svg+xml", "text/x-c"])
def test_media_types(type_: str) -> None:
    assert is_type(type_)


@pytest.mark.parametrize(
    "type_", ["", "png", "image/", "/png", "Image/PNG", "image/*", "text/plain; charset=x", "a/b/c"]
)
def test_what_is_no_media_type(type_: str) -> None:
    assert not is_type(type_)


def test_a_list_of_types_names_its_first_mistake() -> None:
    assert wrong_patterns([]) is None
    assert wrong_patterns(["image/*", "application/pdf"]) is None
    for bad in ("*/*", "*", "image/p*", "IMAGE/png", ""):
        refusal = wrong_patterns(["image/*", bad])
        assert refusal is not None
        assert refusal.detail is not None
        assert refusal.detail["path"] == "args.files.types[1]"


def test_a_pattern_means_all_of_a_kind_but_pictures_that_carry_scripts() -> None:
    assert allowed("image/png", ["text/plain", "image/*"])
    assert not allowed("image/png", ["text/plain", "video/*"])
    assert not allowed("image/png", [])
    assert not allowed("image/svg+xml", ["image/*"])
    assert allowed("image/svg+xml", ["image/svg+xml"])


@pytest.mark.parametrize(
    ("type_", "head"),
    [
        ("image/png", PNG),
        ("image/jpeg", b"\xff\xd8\xff\xe0"),
        ("image/gif", b"GIF89a"),
        ("image/webp", b"RIFF\x10\x00\x00\x00WEBPVP8 "),
        ("image/tiff", b"MM\x00*"),
        ("video/mp4", b"\x00\x00\x00\x18ftypmp42"),
        ("application/pdf", b"%PDF-1.7"),
        ("application/zip", b"PK\x05\x06"),
        ("text/plain", b"hello"),
        ("application/x-whatever", b"\x00anything"),
    ],
)
def test_a_file_that_begins_as_its_type_does_fits(type_: str, head: bytes) -> None:
    assert fits(type_, head)


@pytest.mark.parametrize(
    ("type_", "head"),
    [
        ("image/png", b"MZ\x90\x00"),
        ("image/png", PNG[:7]),
        ("image/webp", b"RIFF\x10\x00\x00\x00WAVE"),
        ("application/pdf", b" %PDF-1.7"),
        ("text/plain", b"MZ\x90\x00\x03"),
        ("text/csv", b"\xff\xfea\x00"),
    ],
)
def test_one_that_begins_otherwise_does_not(type_: str, head: bytes) -> None:
    assert not fits(type_, head)


def test_every_kind_that_is_known_is_a_media_type_and_has_a_beginning_within_what_is_looked_at() -> None:
    for type_, ways in file_kinds._STARTS.items():
        assert is_type(type_)
        assert ways
        assert all(at + len(start) <= 512 for way in ways for at, start in way)
        assert not fits(type_, b"")
