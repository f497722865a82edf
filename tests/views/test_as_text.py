"""A transcript as text: columns that line up, whatever was typed."""

# covers: broker/views/words.py

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.views import words
from broker.views.entries import People, entry_of
from broker.views.words import Typed, details, sentence
from tests.views.talk import ENDED, FILE, JOINED, TALK, Told, document, said, zoned


def lines(*talk: Told) -> list[str]:
    """The lines between its head and its end."""
    text = document("text", talk)
    return text.split("\n\n", 1)[1].rpartition("\n\n")[0].split("\n")


def test_the_examples_hold() -> None:
    failed, tried = doctest.testmod(words)
    assert (failed, tried > 3) == (0, True)


def test_a_conversation_reads_in_columns() -> None:
    assert document("text").startswith(
        "Transcript of s_1 (acme/help)\n"
        "Times are in UTC.\n"
        "\n"
        "2023-11-14 22:13:20Z  *                     Kim asked for help\n"
        "                                            Where is my order?\n"
        "2023-11-14 22:13:21Z  Kim                   Hello?\n"
        "2023-11-14 22:13:22Z  *                     Ann joined\n"
        "2023-11-14 22:13:23Z  Ann                   Let me look.\n"
        "2023-11-14 22:13:24Z  Kim                   sent a file: bill.pdf (1.5 KiB, application/pdf, SHA-256 "
        + "ab"
        * 32
        + ")\n"
        "2023-11-14 22:13:25Z  *                     The representative asked for the customer's screen\n"
        "2023-11-14 22:13:26Z  *                     The connection was lost: Kim\n"
        "2023-11-14 22:13:27Z  *                     Connected again: Kim\n"
        "2023-11-14 22:13:28Z  *                     Bo took over from ann\n"
        "2023-11-14 22:13:29Z  Bo                    It is on its way.\n"
        "                                            Tomorrow.\n"
        "2023-11-14 22:13:30Z  *                     The conversation ended (by the customer)\n"
        "\n"
        "11 entries; the chain ends at "
    )


def test_a_portals_time_zone_is_told_beside() -> None:
    text = document("text", [said(1, "x")], zoned("Europe/Berlin"))
    assert "Times are in UTC; in brackets, Europe/Berlin." in text
    assert "2023-11-14 22:13:20Z [23:13:20+01:00]  The customer          x\n" in text
    assert "[" not in document("text", [said(1, "x")], zoned("Nowhere/Atall"))


def test_a_long_name_has_a_line_of_its_own_and_a_long_line_is_broken_between_words() -> None:
    opened = ("session.opened", {"name": "A name of more than twenty letters"})
    found = lines(opened, said(1, "word " * 20 + "\n\n" + "x" * 100))
    margin = " " * 44
    assert found[1:] == [
        "2023-11-14 22:13:21Z  A name of more than twenty letters",
        margin + " ".join(["word"] * 14),
        margin + " ".join(["word"] * 6),
        "",
        margin + "x" * 100,
    ]


def test_wide_letters_and_marks_keep_the_columns() -> None:
    for name in ("李雷", "Jose\u0301", "Zoë"):
        opened = ("session.opened", {"name": name})
        line = lines(opened, said(1, "x"))[1]
        assert words.width(line.rpartition("x")[0]) == 44


def test_text_from_right_to_left_turns_nothing_else_around() -> None:
    opened = ("session.opened", {"name": "דנה", "text": "שלמה 12 abc"})
    found = lines(opened, said(1, "מה נשמע"))
    assert found[0].endswith("*                     \u2068דנה\u2069 asked for help")
    assert found[1].strip() == "\u2068שלמה 12 abc\u2069"
    assert "\u2068דנה\u2069" in found[2]
    assert found[2].endswith("\u2068מה נשמע\u2069")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_nobody_writes_a_line_of_somebody_else(text: str) -> None:
    found = lines(said(1, text), ENDED)
    at_margin = [line for line in found if line[:1].strip()]
    assert len(at_margin) == 2, "one for each entry"
    inner = "".join(found).replace("\u2068", "").replace("\u2069", "")
    assert not any(
        ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0 or 0x202A <= ord(sign) <= 0x202E or 0x2066 <= ord(sign) <= 0x2069
        for sign in inner
    )


ERASED = {"erased": True}


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (("session.opened", {}), "The customer asked for help"),
        (
            ("session.joined", {"representative": "cy", "name": "Cy", "role": "guest", "view_only": True}),
            "Cy joined as a guest, to watch",
        ),
        (("session.left", {"representative": "cy", "role": "guest"}), "cy left"),
        (
            ("session.released", {"representative": "ann", "reason": "representative_lost"}),
            "ann left: the customer is in line again (the connection was lost)",
        ),
        (("session.released", {"representative": "ann", "reason": "went_home"}), "(went home)"),
        (("share.changed", {"share": "h_1", "state": "new_state", "by": "broker"}), "The broker new state"),
        (("session.outcome", {"representative": "ann", "outcome": "resolved"}), "ann noted the outcome: resolved"),
        (("session.rated", {"score": 4}), "The customer rated the conversation 4 of 5"),
        (("session.ended", {}), "The conversation ended"),
        (("session.described", {"kind": "diagnostics"}), "The customer's page described the diagnostics"),
        ((FILE[0], {"role": "customer", "name": ERASED}), "sent a file: (erased) ()"),
    ],
)
def test_everything_has_its_words(told: Told, line: str) -> None:
    assert line in lines(told)[0]


def test_what_was_typed_beside_stands_beneath() -> None:
    assert [line.strip() for line in lines(("session.rated", {"score": 1, "comment": "No!\nNever."}))[1:]] == [
        "No!",
        "Never.",
    ]
    outcome = ("session.outcome", {"representative": "ann", "outcome": "resolved", "note": "by phone"})
    assert lines(outcome)[1].strip() == "by phone"
    fields = {"order": "A 1", "agreed": True, "pieces": 2, "gift": False}
    opened = ("session.opened", {"text": ERASED, "fields": fields, "page": "https://x.example"})
    assert [line.strip() for line in lines(opened)[1:]] == [
        "(erased)",
        "order: A 1",
        "agreed: yes",
        "pieces: 2",
        "gift: no",
        "page: https://x.example",
    ]
    described = ("session.described", {"kind": "device", "data": {"os": "x", "screens": [{"wide": 3}], "touch": False}})
    assert [line.strip() for line in lines(described)] == [
        lines(described)[0],
        "os: x",
        'screens: [{"wide": 3}]',
        "touch: no",
    ]
    assert lines(("session.described", {"kind": "device", "data": ERASED}))[1].strip() == "data: (erased)"
    assert lines(("session.opened", {"fields": ERASED}))[1].strip() == "form: (erased)"


def test_a_question_that_was_left_stands_with_its_customer() -> None:
    asked = ("question.left", {"session": "s_1", "request": "r_1", "name": "Kim", "text": "Does it\nhum?"})
    first, *rest = lines(asked)[:3]
    assert first == f"2023-11-14 22:13:20Z  *{' ' * 19}  Kim left a question, to be answered by e-mail"
    assert [line.strip() for line in rest] == ["Does it", "hum?"]
    assert "(erased)" in lines(("question.left", {"text": {"erased": True}}))[1]


def test_notes_are_marked() -> None:
    note = ("note.added", {"session": "s_1", "by": "ann", "text": "careful"})
    assert lines(JOINED, note)[1] == "2023-11-14 22:13:21Z  Ann (note)            careful"
    assert "staff alone" not in document("text")


def test_sizes_are_told_as_people_read_them() -> None:
    assert [words.size_of(size) for size in (0, 1023, 1024, 5 * 2**20)] == [
        "0 bytes",
        "1023 bytes",
        "1.0 KiB",
        "5.0 MiB",
    ]


def test_it_ends_with_what_the_json_form_ends_with() -> None:
    end = document("text", TALK[:1]).splitlines()[-2:]
    assert end[0].startswith("1 entry; the chain ends at ")
    assert end[0].split()[-1] in document("json", TALK[:1])
    assert end[1].split()[-1] in document("json")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"state": "requested", "by": "representative"}, "asked for the customer's screen"),
        (
            {"state": "requested", "by": "representative", "asks": ["view", "control"]},
            "asked for the customer's screen, and to control it",
        ),
        ({"state": "accepted", "by": "customer", "until": 9}, "accepted to show the screen, the first step"),
        (
            {"state": "negotiating", "by": "customer", "until": 9, "grant": {"view": True, "control": False}},
            "agreed to show the screen, and not to be controlled",
        ),
        (
            {"state": "negotiating", "by": "customer", "until": 9, "grant": {"view": True, "control": True}},
            "agreed to show the screen, and to be controlled",
        ),
        ({"state": "active", "by": "representative"}, "said that the screen is shown"),
        ({"state": "active", "by": "representative", "asks": ["control"], "until": 9}, "asked for control"),
        ({"state": "active", "by": "customer", "grant": {"view": True, "control": True}}, "allowed control"),
        (
            {"state": "active", "by": "customer", "grant": {"view": True, "control": False}},
            "didn't allow control, or took it back",
        ),
        (
            {"state": "active", "by": "broker", "reason": "no_answer", "grant": {"view": True, "control": False}},
            "didn't allow control, or took it back (no answer)",
        ),
        (
            {"state": "active", "by": "broker", "grant": {"view": True, "control": False}},
            "changed what the screen share may do: something was switched on or off",
        ),
        ({"state": "rebooting", "by": "representative", "until": 9}, "restarted the customer's machine"),
        ({"state": "refused", "by": "customer"}, "refused: the screen isn't shown"),
        ({"state": "ended", "by": "customer"}, "ended the screen share"),
    ],
)
def test_each_consent_of_a_screen_share_is_told_as_what_it_was(told: dict[str, object], expected: str) -> None:
    entry = entry_of("share.changed", {"session": "s_1", "share": "h_1", **told}, People())
    assert entry is not None
    assert "".join(one if isinstance(one, str) else one.text for one in sentence(entry)).endswith(f" {expected}")


def test_the_e_mails_to_a_customer_are_told() -> None:
    mail = {"mail": "m_1", "by": "ann", "subject": "Your order", "text": "It is on its way."}
    entry = entry_of("case.mailed", mail, People())
    assert entry is not None
    assert words.said(entry) == Typed("It is on its way.")
    assert [value.text for _, value in details(entry)] == ["Your order"]
    tried = entry_of("case.mail_attempted", {"mail": "m_1", "attempt": 2, "state": "sent", "code": 250}, People())
    assert tried is not None
    assert sentence(tried) == ("The e-mail was sent (try 2, code 250)",)
    looked = entry_of("session.monitored", {"on": True}, People())
    assert looked is not None
    assert sentence(looked) == ("Managers begin to look on",)


def test_who_else_sees_the_screen_is_told() -> None:
    watched = {"share": "h_1", "session": "s_1", "representative": "cy"}
    people = People()
    people.meet("cy", "Cy")
    told = [
        entry_of("share.watched", {**watched, "control": True}, people),
        entry_of("share.watched", {**watched, "control": False}, people),
        entry_of("share.unwatched", {**watched, "reason": "function_off"}, people),
        entry_of("share.unwatched", {**watched, "reason": "stopped"}, people),
    ]
    assert ["".join(one if isinstance(one, str) else one.text for one in sentence(entry or {})) for entry in told] == [
        "Cy looks at the screen too",
        "Cy looks at the screen too, without control",
        "Cy looks at the screen no more (it was turned off)",
        "Cy looks at the screen no more (stopped)",
    ]
