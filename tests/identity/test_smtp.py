"""One attempt, against real servers: that takes it, that says no, that says later, that hangs, that isn't there."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
import trustme

from broker.identity.secrecy import Secret
from broker.identity.smtp import Attempt, Came, Courier, Settings
from tests.identity.post_office import PostOffice

SENDER = "desk@help.example.org"
TO = "ann@example.org"
MESSAGE = b"Subject: x\r\n\r\nhello\r\n.\r\n..two\r\n"
PASSWORD = "Tr0mbone-correct"
PATIENCE = 20_000  # milliseconds that a working server has


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return path


def context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(made)
    return made


@contextmanager
def running(office: PostOffice) -> Iterator[PostOffice]:
    office.start()
    try:
        yield office
    finally:
        office.stop()


async def attempt(port: int, *, timeout: int = PATIENCE, security: str = "none", **more: object) -> Attempt:
    settings = Settings(
        host="127.0.0.1",
        port=port,
        sender=SENDER,
        security=security,
        timeout=timeout,
        **more,  # type: ignore[arg-type]
    )
    return await Courier(settings).deliver(TO, MESSAGE)


async def test_a_message_arrives_byte_for_byte() -> None:
    with running(PostOffice()) as office:
        assert await attempt(office.port) == Attempt(Came.SENT)
    (envelope,) = office.post.taken
    assert (envelope.mail_from, envelope.rcpt_tos, envelope.content) == (SENDER, [TO], MESSAGE)


async def test_the_server_is_told_the_senders_domain_and_no_machines_name() -> None:
    with running(PostOffice()) as office:
        await attempt(office.port)
    assert office.post.hosts == ["help.example.org"]


async def test_starttls_and_a_password(authority: trustme.CA, trusted: Path) -> None:
    with running(PostOffice(starttls=context(authority), password=PASSWORD)) as office:
        came = await attempt(
            office.port, security="starttls", authorities=trusted, user="desk", password=Secret(PASSWORD)
        )
    assert came == Attempt(Came.SENT)
    assert office.post.secured == [True]


async def test_tls_from_the_first_byte(authority: trustme.CA, trusted: Path) -> None:
    with running(PostOffice(tls=context(authority))) as office:
        assert await attempt(office.port, security="tls", authorities=trusted) == Attempt(Came.SENT)
    assert len(office.post.taken) == 1


async def test_a_wrong_password_is_refused_for_good(authority: trustme.CA, trusted: Path) -> None:
    with running(PostOffice(starttls=context(authority), password=PASSWORD)) as office:
        came = await attempt(office.port, security="starttls", authorities=trusted, user="desk", password=Secret("x"))
    assert came == Attempt(Came.NEVER, "refused", 535)
    assert office.post.taken == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_unknown_authority_is_not_believed(authority: trustme.CA, security: str) -> None:
    made = context(authority)
    office = PostOffice(starttls=made) if security == "starttls" else PostOffice(tls=made)
    with running(office):
        assert await attempt(office.port, security=security) == Attempt(Came.AGAIN, "tls")
    assert office.post.taken == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_for_another_name_is_not_believed(
    authority: trustme.CA, trusted: Path, security: str
) -> None:
    made = context(authority, "other.example.org")
    office = PostOffice(starttls=made) if security == "starttls" else PostOffice(tls=made)
    with running(office):
        assert await attempt(office.port, security=security, authorities=trusted) == Attempt(Came.AGAIN, "tls")
    assert office.post.taken == []


async def test_without_starttls_on_offer_nothing_is_sent_in_the_clear(trusted: Path) -> None:
    with running(PostOffice()) as office:
        came = await attempt(office.port, security="starttls", authorities=trusted)
    assert came == Attempt(Came.NEVER, "unsupported")
    assert office.post.taken == []


@pytest.mark.parametrize("where", ["at_recipient", "at_data"])
@pytest.mark.parametrize(
    ("answer", "came"),
    [
        ("451 try again, ann@example.org", Attempt(Came.AGAIN, "deferred", 451)),
        ("421 closing", Attempt(Came.AGAIN, "deferred", 421)),
        ("550 no such user ann@example.org", Attempt(Came.NEVER, "refused", 550)),
        ("554 no", Attempt(Came.NEVER, "refused", 554)),
    ],
)
async def test_a_refusal_is_for_good_or_for_now(where: str, answer: str, came: Attempt) -> None:
    with running(PostOffice()) as office:
        getattr(office.post, where).append(answer)
        assert await attempt(office.port) == came
    assert "ann" not in repr(came)


@contextmanager
def listening(serve: Callable[[socket.socket], None] | None = None) -> Iterator[int]:
    """A port that takes connections; ``serve`` talks to the first one, in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            taken, _ = listener.accept()
            with taken:
                assert serve is not None
                serve(taken)

        thread = threading.Thread(target=run)
        if serve is not None:
            thread.start()
        yield listener.getsockname()[1]
        if serve is not None:
            thread.join(PATIENCE / 1000)
            assert not thread.is_alive()


async def test_a_server_that_hangs_is_left_after_the_time() -> None:
    with listening() as port:
        assert await attempt(port, timeout=50) == Attempt(Came.AGAIN, "timeout")


async def test_a_server_that_talks_for_ever_is_left_and_the_thread_ends() -> None:
    """It never lets a single read wait, so that only the time of the whole attempt ends it."""

    def babble(taken: socket.socket) -> None:
        while True:
            try:
                taken.sendall(b"220-still here\r\n")
            except OSError:
                return  # that the other end is gone is what ends this thread, and the test

    with listening(babble) as port:
        assert await attempt(port, timeout=100) == Attempt(Came.AGAIN, "timeout")


@pytest.mark.parametrize(
    ("greeting", "came"),
    [
        (b"421 too busy\r\n", Attempt(Came.AGAIN, "deferred", 421)),
        (b"554 go away\r\n", Attempt(Came.NEVER, "refused", 554)),
        (b"", Attempt(Came.AGAIN, "unreachable")),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Attempt(Came.AGAIN, "deferred", -1)),
        (b"220 " + b"x" * 10_000 + b"\r\n", Attempt(Came.NEVER, "refused", 500)),  # smtplib's
    ],
)
async def test_a_greeting_that_is_none(greeting: bytes, came: Attempt) -> None:
    with listening(lambda taken: taken.sendall(greeting)) as port:
        assert await attempt(port) == came


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    with listening() as port:
        pass
    assert await attempt(port) == Attempt(Came.AGAIN, "unreachable")


async def test_being_cancelled_ends_the_attempt() -> None:
    with listening() as port, trio.move_on_after(0) as scope:
        await attempt(port)
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"host": ""}, "host"),
        ({"sender": "Desk <desk@example.org>"}, "sender"),
        ({"sender": "x@example.org\r\nBcc: y@example.org"}, "sender"),
        ({"security": "ssl"}, "security"),
        ({"user": "desk"}, "user"),
        ({"password": Secret("x")}, "user"),
        ({"user": "desk", "password": Secret("x"), "security": "none"}, "security"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_field(given: dict[str, object], named: str) -> None:
    fields: dict[str, object] = {"host": "mail.example.org", "sender": SENDER, **given}
    with pytest.raises(ValueError, match=f"^{named}: expected"):
        Settings(**fields)  # type: ignore[arg-type]


def test_settings_do_not_show_the_password() -> None:
    made = Settings(host="mail.example.org", sender=SENDER, user="desk", password=Secret(PASSWORD))
    assert PASSWORD not in repr(made)


def test_authorities_that_cannot_be_read_are_found_at_the_start(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pem", tmp_path / "empty.pem"):
        with pytest.raises(OSError, match=r".*"):
            Courier(Settings(host="mail.example.org", sender=SENDER, authorities=path))
        (tmp_path / "empty.pem").write_text("nothing")
