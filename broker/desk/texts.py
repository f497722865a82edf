"""What a portal says, in its languages: what managers may put there, and which language a visitor gets.

The desk knows the languages and where the texts are, never the texts: they are one content, put into words when an
answer leaves (``InLanguage``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeGuard, cast

import attrs

from broker import limits
from broker.content import Personal, Ref
from broker.desk.outcome import Refusal, bad_args

KEYS: Final = (
    "title",
    "welcome",
    "question",
    "name",
    "email",
    "button",
    "waiting",
    "full",
    "closed",
    "offline_hint",
    "thank_you",
    "survey",
)
"""The texts that a portal's page may show: over the page, before asking, beside the fields that every portal has, on
the button, while waiting, when the line is full, when nobody may ask, where to turn then, at the end, and
over the survey."""

DEFAULT: Final = "en"

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def is_language(value: object) -> TypeGuard[str]:
    """Whether this is written as a BCP 47 language tag."""
    return isinstance(value, str) and len(value) <= limits.MAX_LANGUAGE_BYTES and bool(_LANGUAGE.fullmatch(value))


def parse(given: Personal | None, default: str) -> tuple[str, ...] | Refusal:
    """The languages of these texts; or the first mistake in them."""
    if given is None:
        return ()
    if len(given.text.encode()) > limits.PORTAL_TEXTS_BYTES:
        return bad_args("args.texts", f"at most {limits.PORTAL_TEXTS_BYTES} bytes in all")
    data = cast("Mapping[str, object]", given.data)
    for language, texts in data.items():
        if not is_language(language):
            return bad_args(f"args.texts.{language[:64]}", "a language tag, such as en or pt-BR")
        if (refusal := _wrong(f"args.texts.{language}", texts)) is not None:
            return refusal
    if default not in data:
        return bad_args(f"args.texts.{default}", "the texts in the portal's language: the others fall back to them")
    return tuple(data)


def _wrong(path: str, texts: object) -> Refusal | None:
    if not isinstance(texts, dict):
        return bad_args(path, "a map of texts")
    for key, text in texts.items():
        if key not in KEYS:
            return bad_args(f"{path}.{key[:64]}", f"one of {', '.join(KEYS)}")
        if not isinstance(text, str) or not 0 < len(text) <= limits.PORTAL_TEXT:
            return bad_args(f"{path}.{key}", f"a text of 1 to {limits.PORTAL_TEXT} characters")
    return None


def wrong_label(path: str, label: object, default: str) -> Refusal | None:
    """A label is a text for all languages, or a map of them by language."""
    texts = [label]
    if isinstance(label, dict):
        if default not in label or not all(map(is_language, label)):
            return bad_args(path, f"a text, or texts by language, {default} among them")
        texts = list(label.values())
    if not all(isinstance(text, str) and 0 < len(text) <= limits.LABEL_TEXT for text in texts):
        return bad_args(path, f"a text of 1 to {limits.LABEL_TEXT} characters, or such texts by language")
    return None


def chosen(languages: Iterable[str], wanted: str | None, default: str) -> str:
    """The language for somebody who wants this one: itself, else without its region, else the default."""
    if wanted is not None:
        known = {language.casefold(): language for language in languages}
        for tag in (wanted.casefold(), wanted.casefold().partition("-")[0]):
            if tag in known:
                return known[tag]
    return default


@attrs.frozen
class InLanguage:
    """Texts or labels on their way out: what is stored behind ``ref``, in this language as far as it is there."""

    ref: Ref
    language: str
    default: str

    def told(self, text: str) -> object:
        """In words, from the stored text."""
        data = json.loads(text)
        if isinstance(data, dict):
            return {**data.get(self.default, {}), **data.get(self.language, {})}
        return [self._labelled(each) for each in data]

    def _labelled(self, item: dict[str, object]) -> dict[str, object]:
        told = {**item, "label": self._label(item["label"])}
        if "choices" in item:
            told["choices"] = [self._labelled(each) for each in cast("list[dict[str, object]]", item["choices"])]
        return told

    def _label(self, label: object) -> object:
        return label.get(self.language, label[self.default]) if isinstance(label, dict) else label
