"""From the mail section to what sends: nothing configured is nothing sent, and the password is never shown."""

from pathlib import Path

import pytest
from trustme import CA

from broker.config import ConfigError, Mail, load
from broker.config.mail import courier, smtp_settings
from broker.identity.secrecy import Secret

PASSWORD = "Tr0mbone-correct"


def configured(folder: Path, text: str, environ: dict[str, str] | None = None) -> Mail:
    path = folder / "huntgroup.toml"
    path.write_text(f"[mail]\n{text}", encoding="utf-8")
    return load(path, environ).mail


HOST = 'host = "smtp.example.org"\nsender = "desk@example.org"\n'


def test_without_a_host_none_is_sent() -> None:
    assert courier(Mail()) is None


def test_everything_reaches_what_sends(tmp_path: Path) -> None:
    CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    text = (
        HOST + f'port = 2525\nsecurity = "tls"\nauthorities = "ca.pem"\nuser = "desk"\npassword = "{PASSWORD}"\n'
        "timeout_ms = 5000\n"
    )
    mail = configured(tmp_path, text)
    made = smtp_settings(mail)
    assert made is not None
    assert (made.host, made.port, made.sender, made.security) == ("smtp.example.org", 2525, "desk@example.org", "tls")
    assert (made.user, made.password, made.timeout) == ("desk", Secret(PASSWORD), 5000)
    assert made.authorities == tmp_path / "ca.pem"
    assert courier(mail) is not None


def test_the_password_comes_from_the_variable_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "word").write_text(f"{PASSWORD}\nand a second line\n")
    made = smtp_settings(configured(tmp_path, HOST + 'user = "desk"\npassword_file = "word"'))
    assert made is not None
    assert made.password == Secret(PASSWORD)
    environ = {"HUNTGROUP_MAIL_PASSWORD": "other-0ne"}
    made = smtp_settings(configured(tmp_path, HOST + 'user = "desk"\npassword_file = "word"', environ))
    assert made is not None
    assert made.password == Secret("other-0ne")


@pytest.mark.parametrize("content", [b"", b"\n" + PASSWORD.encode(), b"two words", "pässword".encode(), b"x" * 256])
def test_a_file_without_a_password_is_named_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "word").write_bytes(content)
    with pytest.raises(ConfigError, match=r"mail\.password_file: expected 1 to 255") as caught:
        courier(configured(tmp_path, HOST + 'user = "desk"\npassword_file = "word"'))
    assert PASSWORD not in str(caught.value)


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mail\.password_file: can't be read"):
        courier(configured(tmp_path, HOST + 'user = "desk"\npassword_file = "none"'))
    with pytest.raises(ConfigError, match=r"mail\.authorities: can't be used"):
        courier(configured(tmp_path, HOST + 'authorities = "none.pem"'))


def test_the_password_is_never_shown(tmp_path: Path) -> None:
    mail = configured(tmp_path, HOST + f'user = "desk"\npassword = "{PASSWORD}"')
    assert PASSWORD not in repr(mail)
    assert PASSWORD not in repr(smtp_settings(mail))
    for wrong in (f'password = "{PASSWORD} é"', f'password = ["{PASSWORD}"]'):
        with pytest.raises(ConfigError, match=r"mail\.password: expected .* got something else") as caught:
            configured(tmp_path, HOST + 'user = "desk"\n' + wrong)
        assert PASSWORD not in str(caught.value)
    with pytest.raises(ConfigError, match=r"HUNTGROUP_MAIL_PASSWORD: expected .* got something else") as caught:
        load(environ={"HUNTGROUP_MAIL_PASSWORD": f"{PASSWORD} é"})
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('host = "smtp.example.org"', "mail.sender: expected an address with mail.host"),
        ('sender = "desk@example.org"', "mail.host: expected a host name"),
        ('password = "x"\nuser = "desk"', "mail.host: expected a host name"),
        (HOST + 'user = "desk"', "mail.password: expected together with mail.user"),
        (HOST + 'password = "x"', "mail.user: expected together with a password"),
        (HOST + 'password_file = "x"', "mail.user: expected together with a password"),
        (HOST + 'user = "desk"\npassword = "x"\nsecurity = "none"', "mail.security: expected starttls or tls"),
        ('host = "smtp.example.org"\nsender = "Desk <desk@example.org>"', "mail.sender: expected one plain e-mail"),
        (HOST + 'security = "ssl"', "mail.security: expected none or starttls or tls"),
        (HOST + "timeout_ms = 10", "mail.timeout_ms: expected"),
    ],
)
def test_what_does_not_fit_together_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, text)
    assert caught.value.problems[0].startswith(named)
