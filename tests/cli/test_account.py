"""A first account: its configuration, its desk file, and the link by which its manager chooses a password."""
# covers: broker/runtime/offline.py

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from broker.cli.common import Exit
from broker.config import load
from broker.config.desk import load_desk
from broker.desk.identity import Role
from broker.identity import secrets
from broker.identity.tokens import Purpose, SetPassword, Signer
from tests.cli.conftest import Run
from tests.clients.python.conftest import serving

CREATE = ("account", "create", "acme", "--manager", "mia", "--name", "Mia Moss", "--email", "mia@example.org")
NOW = 0  # before every link's end
GOOD = "Correct-Horse-7"


def claims(link: str, data: str = "data") -> SetPassword:
    token = link.strip().partition("?token=")[2]
    found = Signer(secrets.load(Path(data)).token_key).verify(token, NOW, Purpose.PASSWORD)
    assert isinstance(found, SetPassword)
    return found


def test_an_account_is_made_with_its_manager_and_a_link(run: Run) -> None:
    Path("c.toml").write_text('# ours\n[server]\npublic_url = "https://help.example.org"\n')
    code, out, err = run(*CREATE, "-c", "c.toml", "--data", "data")
    assert code == Exit.OK
    assert out.startswith("https://help.example.org/password?token=v1.")
    assert "account acme is in c.toml (slot 0), its first manager in acme.desk.toml" in err
    assert "huntgroup serve --config c.toml" in err
    found = claims(out)
    assert (found.account, found.person, found.role, found.serial) == ("acme", "mia", Role.MANAGER, 0)
    assert Path("c.toml").read_text().startswith("# ours\n")
    (account,) = load(Path("c.toml")).accounts
    (put,) = load_desk(account.desk)
    assert put.args == {
        "manager": "mia",
        "kind": "account",
        "name": "Mia Moss",
        "email": "mia@example.org",
        "rights": ["api_managers"],
    }
    assert run("serve", "-c", "c.toml", "--check-config")[0] == Exit.OK


def test_a_missing_configuration_is_made_where_it_would_be_looked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(*CREATE)[0] == Exit.OK
    assert load(Path("huntgroup.toml")).accounts[0].name == "acme"
    Path("other").mkdir()
    monkeypatch.setenv("HUNTGROUP_CONFIG", "other/c.toml")
    code, out, _ = run(*CREATE)
    assert (code, out.startswith("http://127.0.0.1:8470/password?token=")) == (Exit.OK, True)
    assert Path("other/acme.desk.toml").is_file()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({2: "Acme"}, "NAME: expected a slug such as acme"),
        ({2: "../acme"}, "NAME: expected a slug"),
        ({4: "v_mia"}, "manager[0].manager: expected a name that nobody"),
        ({4: "Mia"}, "manager[0].manager: expected"),
        ({6: ""}, "manager[0].name: expected"),
        ({8: "a"}, "manager[0].email: expected"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(run: Run, changes: Mapping[int, str], told: str) -> None:
    argv = [changes.get(number, word) for number, word in enumerate(CREATE)]
    code, out, err = run(*argv, "-c", "c.toml", "--data", "data")
    assert (code, out) == (Exit.USAGE, "")
    assert told in err
    assert list(Path().iterdir()) == []


def test_an_account_that_is_there_and_files_that_are_there_are_left_alone(run: Run) -> None:
    assert run(*CREATE, "-c", "c.toml")[0] == Exit.OK
    before = Path("c.toml").read_text()
    assert "there is an account acme already" in run(*CREATE, "-c", "c.toml")[2]
    Path("beta.desk.toml").write_text("# somebody's\n")
    again = [word.replace("acme", "beta") for word in CREATE]
    assert "beta.desk.toml exists already" in run(*again, "-c", "c.toml")[2]
    assert Path("c.toml").read_text() == before
    assert "there is no folder nowhere" in run(*CREATE, "-c", "nowhere/c.toml")[2]
    Path("d.toml").write_text("[server]\nport = 0\n")
    code, _, err = run(*CREATE, "-c", "d.toml", "--data", "data")
    assert (code, "acme.desk.toml exists already" in err) == (Exit.USAGE, True)
    Path("acme.desk.toml").unlink()
    assert "server.port is 0, a free one: set server.public_url" in run(*CREATE, "-c", "d.toml")[2]


def test_a_link_before_the_first_start_is_for_those_in_the_desk_file(run: Run) -> None:
    run(*CREATE, "-c", "c.toml", "--data", "data")
    code, out, _ = run("account", "link", "acme", "mia", "manager", "-c", "c.toml", "--data", "data")
    assert (code, claims(out).serial) == (Exit.OK, 0)
    for who, role in (("mio", "manager"), ("mia", "representative")):
        code, out, err = run("account", "link", "acme", who, role, "-c", "c.toml", "--data", "data")
        assert (code, out, err) == (Exit.USAGE, "", f"huntgroup: account acme has no {role} {who}\n")
    assert "has no account beta" in run("account", "link", "beta", "mia", "manager", "-c", "c.toml")[2]
    Path("c.toml").write_text(Path("c.toml").read_text() + '[data]\njournal = "memory"\n')
    assert "can't be looked into" in run("account", "link", "acme", "mia", "manager", "-c", "c.toml")[2]


def post(link: str, password: str) -> int:
    """Choose a password as the page's form does; the status."""
    page, _, token = link.strip().partition("?token=")
    form = urllib.parse.urlencode({"token": token, "new": password, "again": password}).encode()
    try:
        with urllib.request.urlopen(page, form, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.slow
def test_from_nothing_to_a_manager_who_applies_a_desk_file(run: Run) -> None:
    """Create, serve, open the link, sign in by password, apply; and a second link after that, good once."""
    Path("c.toml").write_text('[server]\nport = 0\npublic_url = "http://x.example"\n')
    code, links, _ = run(*CREATE, "--api-manager", "pia", "-c", "c.toml", "--data", "data")
    link, of_pia = links.splitlines()
    assert code == Exit.OK
    with serving("serve", "-c", "c.toml", "--data", "data", says="huntgroup serves at") as line:
        url = line.partition("serves at ")[2].partition(",")[0]
        assert post(link.replace("http://x.example", url), GOOD) == 200
        assert post(link.replace("http://x.example", url), GOOD + "8") == 410
        Path("password").write_text(f"{GOOD}\nand a remark")
        Path("desk.toml").write_text('[[team]]\nteam = "first"\nsubportals = []\n')
        boss = ("--server", url, "--account", "acme", "--login", "mia@example.org", "--password-file", "password")
        assert "mia is an account manager: this takes an API manager" in run("apply", "desk.toml", *boss, "--yes")[2]
        assert post(of_pia.replace("http://x.example", url), GOOD) == 200
        where = tuple("pia" if word == "mia@example.org" else word for word in boss)
        assert run("apply", "desk.toml", *where, "--yes")[1].endswith("applied: 1\n")
        assert "nothing to do" in run("apply", "desk.toml", *where)[1]
        assert "--login needs --account" in run("apply", "desk.toml", *where[:2], *where[4:])[2]
        code, second, _ = run("account", "link", "acme", "mia", "manager", "-c", "c.toml", "--data", "data")
        assert (code, claims(second).serial) == (Exit.OK, 1)
        assert post(second.replace("http://x.example", url), GOOD + "9") == 200
        code, out, _ = run("audit", "--data", "data", "--person", "mia", "--json")
        told = [json.loads(line) for line in out.splitlines()]
        assert [one["type"] for one in told].count("password.changed") == 2
        assert {"password", "Mia Moss"} & {str(value) for one in told for value in one["data"].values()} == {"password"}
    gone = [word.replace("acme", "beta") for word in CREATE]
    Path("d.toml").write_text("")
    code, _, err = run(*gone, "-c", "d.toml", "--data", "data")
    assert (code, "also has acme, which the configuration doesn't name" in err) == (Exit.USAGE, True)
    assert run(*gone, "-c", "d.toml", "--data", "data", "--slot", "7")[0] == Exit.OK
    Path("e.toml").write_text("")
    assert "its people would be the new one's" in run(*CREATE, "-c", "e.toml", "--data", "data")[2]
