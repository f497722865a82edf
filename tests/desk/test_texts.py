"""A portal's texts: what managers may put, and which language a visitor gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.codes import Code
from broker.desk import texts
from broker.desk.publish import resolve
from broker.protocol import check, ops, schema
from tests.support.builders import customer, document, manager
from tests.support.scene import Scene, office

MIA = manager()
TEXTS: dict[str, dict[str, str]] = {
    "en": {"welcome": "Hello", "closed": "We are closed"},
    "de": {"welcome": "Hallo"},
    "pt-BR": {"welcome": "Oi"},
}


def put(said: object, content: str = "d_texts", **more: Any) -> ops.PortalPut:
    return ops.PortalPut("help", "ask", "queue", ["help"], texts=document(said, content), **more)


def page(scene: Scene, language: str | None, spoken: str | None = None) -> dict[str, object]:
    who = attrs.evolve(customer("kim"), language=spoken)
    value = scene.words(scene.ok(ops.PortalOpen(language), who).value, document(TEXTS).text)
    check.check_result("portal.open", value)
    return value


@pytest.mark.parametrize(
    ("wanted", "told", "welcome"),
    [
        (None, "en", "Hello"),
        ("de", "de", "Hallo"),
        ("de-AT", "de", "Hallo"),
        ("DE", "de", "Hallo"),
        ("pt-br", "pt-BR", "Oi"),
        ("pt", "en", "Hello"),
        ("pt-PT", "en", "Hello"),
        ("fr", "en", "Hello"),
        ("?!", "en", "Hello"),
    ],
)
def test_texts_fall_back_from_region_to_language_to_the_portals_own(
    wanted: str | None, told: str, welcome: str
) -> None:
    scene = office()
    scene.ok(put(TEXTS), MIA)
    for value in (page(scene, wanted), page(scene, None, spoken=wanted)):
        assert value["language"] == told
        assert value["texts"] == {"welcome": welcome, "closed": "We are closed"}  # of what is missing, the portal's own


def test_what_is_asked_for_goes_before_what_the_client_speaks() -> None:
    scene = office()
    scene.ok(put(TEXTS), MIA)
    assert page(scene, "pt-BR", spoken="de")["language"] == "pt-BR"


def test_a_portal_without_texts_says_its_language_and_nothing_else() -> None:
    scene = office()
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], language="de"), MIA)
    value = page(scene, "fr")
    assert value["language"] == "de"
    assert "texts" not in value


def test_erased_texts_read_as_such() -> None:
    told = texts.InLanguage(("d_1", b"x" * 16), "de", "en")
    assert resolve({"texts": told}, lambda content: None) == {"texts": {"erased": True}}


@pytest.mark.parametrize(
    ("said", "language", "told"),
    [
        ({"en": {"hello": "x"}}, None, f"args.texts.en.hello: expected one of {', '.join(texts.KEYS)}"),
        ({"en": {"welcome": ""}}, None, "args.texts.en.welcome: expected a text of 1 to 500 characters"),
        ({"en": {"welcome": "x" * 501}}, None, "args.texts.en.welcome: expected a text of 1 to 500 characters"),
        ({"en": {"welcome": 5}}, None, "args.texts.en.welcome: expected a text of 1 to 500 characters"),
        ({"en": "Hello"}, None, "args.texts.en: expected a map of texts"),
        ({"english": {}}, None, "args.texts.english: expected a language tag, such as en or pt-BR"),
        ({"de": {}}, None, "args.texts.en: expected the texts in the portal's language: the others fall back to them"),
        ({"en": {}}, "de", "args.texts.de: expected the texts in the portal's language: the others fall back to them"),
        ({"en": {}}, "e!", "args.language: expected a language tag, such as en or pt-BR"),
        (
            {f"e{a}": {"welcome": "x" * 500, "closed": "x" * 500} for a in "abcdefghijklmnopqrstuvwxyz"},
            None,
            "args.texts: expected at most 16384 bytes in all",
        ),
    ],
    ids=str,
)
def test_a_mistake_in_texts_is_named(said: object, language: str | None, told: str) -> None:
    scene = office()
    assert scene.refused(put(said, language=language), MIA, Code.BAD_ARGS).text == told


def test_the_schema_names_every_text() -> None:
    source = Path(schema.__file__).with_name("v1.toml").read_text(encoding="utf-8")
    assert source.count(", ".join(texts.KEYS)) == 2


@given(st.text(max_size=40))
def test_a_language_tag_is_short_and_plain(tag: str) -> None:
    if texts.is_language(tag):
        assert len(tag) <= 35
        assert all(part.isalnum() and part.isascii() for part in tag.split("-"))


def test_texts_are_kept_once_and_released() -> None:
    scene = office()
    scene.ok(put(TEXTS), MIA)
    assert scene.ok(put(TEXTS), MIA).value["changed"] is False
    assert scene.desk.held_contents() == {"d_texts"}
    scene.ok(put(TEXTS, "d_new"), MIA)
    assert scene.desk.drain_released() == ["d_texts"]
    scene.ok(ops.PortalDelete("help"), MIA)
    assert scene.desk.drain_released() == ["d_new"]
