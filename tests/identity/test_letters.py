"""Letters: one address, one line of subject, nothing that a header could be smuggled in with."""

# covers: broker/addresses.py

import email
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.addresses import is_address
from broker.identity.letters import Mail, compose_reset, compose_welcome, duration, one_line, readable, write
from broker.limits import MAX_MAIL_BYTES, MAX_SUBJECT_CHARS
from broker.units import DAYS, HOURS, MINUTES, SECONDS

NOW = 1_700_000_000_000
LINK = "https://help.example.org/password#v1." + "x" * 1500 + "=.é".encode().hex()

plain = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=MAX_SUBJECT_CHARS)


def read(mail: Mail, sender: str = "desk@example.org") -> EmailMessage:
    raw = write(mail, sender=sender, now=NOW, name="0123")
    raw.decode("ascii")
    assert all(len(line) <= 998 for line in raw.split(b"\r\n")), "RFC 5322, 2.1.1"
    assert b"\n" not in raw.replace(b"\r\n", b"")
    found = email.message_from_bytes(raw, policy=default)
    assert isinstance(found, EmailMessage)
    return found


@pytest.mark.parametrize(
    "address", ["ann@example.org", "a.b+c=d@x", "o'hara@sub.example.co", "_@xn--bcher-kva.example", "a" * 64 + "@x.org"]
)
def test_plain_addresses_are_taken(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "@example.org",
        "ann@",
        "ann@@example.org",
        "ann@example..org",
        ".ann@example.org",
        "ann.@example.org",
        "ann@-example.org",
        "ann@example.org.",
        "ann@example.org, bo@example.org",
        "ann@example.org\r\nBcc: bo@example.org",
        "ann@example.org\n",
        " ann@example.org",
        "\r\nann@example.org",
        "Ann <ann@example.org>",
        "<ann@example.org>",
        '"ann alder"@example.org',
        "ann@[127.0.0.1]",
        "änn@example.org",
        "ann@bücher.example",
        "ann @example.org",
        "ann@example.org SIZE=1",
        "a" * 65 + "@example.org",
        "a@" + ".".join(["b" * 60] * 5),
    ],
)
def test_everything_else_is_no_address(address: str) -> None:
    assert not is_address(address)
    with pytest.raises(ValueError, match=r"^to: expected one plain e-mail address$"):
        Mail(to=address, subject="x", text="x")


@given(st.text())
@example("x\r\nBcc: bo@example.org")
@example("x\u2028Bcc: bo@example.org")
@example("x\x85y")
@example("x" * (MAX_SUBJECT_CHARS + 1))
def test_any_subject_is_one_header_or_refused_by_name(subject: str) -> None:
    try:
        mail = Mail(to="ann@example.org", subject=subject, text="x")
    except ValueError as error:
        refused = str(error)
    else:
        found = read(mail)
        assert sorted(found.keys()) == sorted(read(Mail(to="a@b", subject="x", text="x")).keys())
        assert found["Subject"].split() == subject.split()
        return
    assert refused == f"subject: expected one line of at most {MAX_SUBJECT_CHARS} characters"


@given(st.lists(plain, min_size=1, max_size=8))
def test_any_text_arrives_as_it_was(lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    found = read(Mail(to="ann@example.org", subject="x", text=text))
    assert found.get_content().splitlines() == text.splitlines()


@given(st.text())
def test_whatever_is_written_can_be_sent_once_it_reads_as_a_letter(text: str) -> None:
    told = readable(text)
    assert Mail(to="ann@example.org", subject="x", text=told).text == told == readable(told)
    assert "\n".join(told.split()) == "\n".join(readable(text.replace("\n", "\r\n")).split())
    line = one_line(text)
    assert not line or Mail(to="ann@example.org", subject=line[:MAX_SUBJECT_CHARS], text="x").subject in line


@pytest.mark.parametrize("text", ["x\0", "x\r\n.\r\nMAIL FROM:<x>", "\ud800", "x" * (MAX_MAIL_BYTES + 1), "é" * 32769])
def test_a_text_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"^text: expected"):
        Mail(to="ann@example.org", subject="x", text=text)


def test_the_headers_are_those_of_a_machine() -> None:
    found = read(Mail(to="ann@example.org", subject="Grüße", text="Schöne Grüße\n"))
    assert found["From"] == "desk@example.org"
    assert found["To"] == "ann@example.org"
    assert found["Subject"] == "Grüße"
    assert found["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    assert found["Message-ID"] == "<0123@example.org>"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found.get_content_type() == "text/plain"
    assert found.get_content_charset() == "utf-8"
    assert found.get_content() == "Schöne Grüße\r\n"


def test_nothing_of_a_mail_is_printed() -> None:
    assert repr(Mail(to="ann@example.org", subject="x", text="secret")) == "Mail()"


@pytest.mark.parametrize("compose", [compose_reset, compose_welcome])
def test_a_letter_has_the_link_on_a_line_by_itself_and_says_how_long_it_is_good(compose: type[Mail]) -> None:
    mail = compose("ann@example.org", link=LINK, account="acme", good_for=1 * HOURS)  # type: ignore[call-arg]
    text = read(mail).get_content()
    assert LINK in text.splitlines()
    assert "acme" in text
    assert "within 1 hour:" in text
    assert "acme" in mail.subject
    assert "The link works once." in text


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "https://x.example/ y", "https://x.example/\nsee", "", "http://"]
)
@pytest.mark.parametrize("compose", [compose_reset, compose_welcome])
def test_a_link_that_is_none_is_refused(compose: type[Mail], link: str) -> None:
    with pytest.raises(ValueError, match=r"^link: expected"):
        compose("ann@example.org", link=link, account="acme", good_for=1 * HOURS)  # type: ignore[call-arg]


@pytest.mark.parametrize("account", ["", "acme\nevil", "x" * 65])
def test_an_account_that_is_no_name_is_refused(account: str) -> None:
    with pytest.raises(ValueError, match=r"^account: expected"):
        compose_reset("ann@example.org", link=LINK, account=account, good_for=1 * HOURS)


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (30 * SECONDS, "1 minute"),
        (1 * MINUTES, "1 minute"),
        (15 * MINUTES + 30 * SECONDS, "15 minutes"),
        (1 * HOURS, "1 hour"),
        (90 * MINUTES, "90 minutes"),
        (24 * HOURS, "1 day"),
        (36 * HOURS, "36 hours"),
        (14 * DAYS, "14 days"),
    ],
)
def test_durations_are_said_as_people_do(ms: int, words: str) -> None:
    assert duration(ms) == words
