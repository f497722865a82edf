"""The command line: what each command hands over, what it prints, and its exit codes."""
# covers: broker/cli/serve.py broker/cli/token.py broker/cli/entry.py broker/cli/status.py broker/cli/version.py
# covers: broker/cli/conformance.py

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from broker import __version__
from broker.cli import COMMANDS, conformance, connect, demo, main, parser
from broker.cli.common import CONFIG_VARIABLE, TOKEN_VARIABLE, Exit, UsageError
from broker.desk.identity import Role
from broker.identity import secrets
from broker.identity.tokens import Purpose, Signer
from broker.units import DAYS, HOURS

NOW = 1_700_000_000_000


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variables of ours, and a working directory of the test's own."""
    for name in os.environ:
        if name.startswith("HUNTGROUP_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outcome(*argv: str) -> int:
    """The exit code of a command, argparse's own included."""
    try:
        return main(argv)
    except SystemExit as ended:
        return int(ended.code or 0)


def test_help_names_every_command_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("--help") == Exit.OK
    text = capsys.readouterr().out
    for word in (
        "serve",
        "demo",
        "connect",
        "token",
        "entry",
        "journal",
        "simulate",
        "status",
        "conformance",
        "version",
        "exit codes",
    ):
        assert word in text
    for code in Exit:
        assert re.search(rf"^ +{int(code)} ", text, re.MULTILINE)


@pytest.mark.parametrize("command", [module.__name__.rpartition(".")[2] for module in COMMANDS])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(command, "--help") == Exit.OK
    assert len(capsys.readouterr().out) > 200


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["dance"],
        ["status", "--sever", "x"],
        ["status", "--server", "ftp://x"],
        ["token", "acme", "ann"],
        ["token", "acme", "ann", "owner"],
        ["token", "acme", "ann", "manager", "--life", "0m"],
        ["token", "acme", "ann", "manager", "--life", "401d"],
        ["token", "acme", "ann", "manager", "--life", "forever"],
        ["journal", "verify", "--against", "1:zz"],
        ["serve", "--print-config", "--check-config"],
        ["conformance", "--data", "x", "--key", "00"],
        ["conformance", "--timeout", "nan"],
        ["conformance", "--timeout", "0"],
    ],
)
def test_wrong_options_are_refused_with_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(*argv) == Exit.USAGE
    assert "usage: huntgroup" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["serve"], "no account to serve"),
        (["serve", "--port", "http"], "server.port: expected a whole number from 0 to 65535"),
        (["serve", "--config", "none.toml"], "none.toml: can't be read"),
        (["demo", "--server", "http://127.0.0.1:1"], "--server goes with --check"),
        (["demo", "--port", "x"], "server.port: expected"),
        (["demo", "--host", "0.0.0.0"], "To let others reach it at 0.0.0.0, say --public"),
        (["demo", "--host", "desk.example"], "say --public"),
        (["connect", "representative"], "--token"),
        (["connect", "representative", "--token", "v1.a.b", "--pin", "1"], "nothing else"),
        (["connect", "representative", "--token", "v1.a.b", "--login", "ann"], "nothing else"),
        (["connect", "manager", "--portal", "demo/ask"], "a manager connects with one of --login, --token"),
        (["connect", "manager", "--login", "mia"], "--login needs --account"),
        (["connect", "manager", "--token", "v1.a.b", "--account", "demo"], "--account and --password-file go with"),
        (["connect", "manager", "--key-file", "none.key"], "none.key can't be read: No such file"),
        (["connect", "manager", "--key-file", "/dev/null"], "/dev/null: its first line is empty"),
        (["connect", "manager", "--account", "demo", "--login", "mia"], "there is no terminal to ask for the password"),
        (["connect", "customer", "--pin", "123456789", "--entry", "v1.a.b"], "--entry goes with --portal"),
        (["connect", "customer"], "one of --portal and --pin"),
        (["connect", "customer", "--portal", "demo/ask", "--pin", "123456789"], "one of"),
        (["token", "Acme", "ann", "manager"], "account: expected a slug"),
        (["token", "acme", "ann", "manager", "--portal", "help"], "portal: expected"),
        (["journal", "verify", "--against", "1:" + "0" * 64], "--against needs --account"),
        (["journal", "verify"], "there is no journal in var/huntgroup"),
        (["journal", "dump", "acme"], "there is no journal"),
        (["journal", "backup", "copy"], "there is no journal"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    argv: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(*argv) == Exit.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("huntgroup: ")
    assert told in captured.err
    assert captured.err.count("\n") == 1


def test_a_wrong_configuration_names_every_field(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clean / "c.toml").write_text("[server]\nport = 'x'\n[lgos]\nlevel = 'info'\n")
    assert outcome("serve", "--config", "c.toml") == Exit.USAGE
    told = capsys.readouterr().err
    assert "server.port: expected" in told
    assert "lgos: there is no such section; did you mean logs?" in told


def test_version_is_said_to_people_and_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("version") == Exit.OK
    assert f"huntgroup {__version__} (protocol huntgroup.v1.msgpack" in capsys.readouterr().out
    assert outcome("version", "--json") == Exit.OK
    assert json.loads(capsys.readouterr().out)["version"] == __version__
    assert outcome("--version") == Exit.OK
    assert capsys.readouterr().out == f"huntgroup {__version__}\n"


def test_python_m_broker_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "broker", "version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.startswith("huntgroup ")


def test_help_loads_neither_trio_nor_the_runtime() -> None:
    code = (
        "import sys; from broker.cli import parser; parser();"
        "print(sorted({'trio', 'broker.runtime'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout == "[]\n"


# --- token ----------------------------------------------------------------------------------------------


def test_a_token_signs_in_at_the_broker_of_the_same_data(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("token", "acme", "ann", "representative", "--data", "data", "--life", "7d", "--json") == Exit.OK
    made = json.loads(capsys.readouterr().out)
    key = secrets.load(clean / "data").token_key
    claims = Signer(key).verify(made["token"], made["expires"] - 7 * DAYS)
    assert (claims.account, claims.person, claims.role) == ("acme", "ann", Role.REPRESENTATIVE)
    assert claims.expires == made["expires"]


def test_a_token_alone_is_printed_for_people(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("token", "acme", "v_1", "customer", "--portal", "help", "--data", "data") == Exit.OK
    captured = capsys.readouterr()
    assert captured.err == "huntgroup: data had no secret.key: made it\n"
    token = captured.out.rstrip("\n")
    claims = Signer(secrets.load(clean / "data").token_key).verify(token, 0)
    assert (claims.person, claims.portal) == ("v_1", "help")


def test_a_secret_that_others_can_read_is_refused(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secrets.load_or_create(clean / "data")
    (clean / "data" / secrets.NAME).chmod(stat.S_IRUSR | stat.S_IROTH)
    assert outcome("token", "acme", "ann", "manager", "--data", "data") == Exit.USAGE
    assert "chmod 600" in capsys.readouterr().err


# --- serve ----------------------------------------------------------------------------------------------


def test_the_printed_configuration_is_one(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("serve", "--print-config") == Exit.OK
    (clean / "c.toml").write_text(capsys.readouterr().out)
    assert outcome("serve", "--config", "c.toml", "--check-config") == Exit.USAGE
    assert "no account" in capsys.readouterr().err


@pytest.fixture
def account(clean: Path) -> Path:
    """A configuration with one account."""
    (clean / "desk.toml").write_text('[[team]]\nteam = "first"\nsubportals = []\n')
    path = clean / "c.toml"
    path.write_text('[[accounts]]\nname = "acme"\nslot = 0\ndesk = "desk.toml"\n')
    return path


def test_a_configuration_can_be_checked_without_serving(
    account: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome("serve", "-c", "c.toml", "--check-config") == Exit.OK
    assert capsys.readouterr().out == "the configuration is right; accounts: acme\n"
    monkeypatch.setenv(CONFIG_VARIABLE, "c.toml")
    assert outcome("serve", "--check-config") == Exit.OK
    (account.parent / "desk.toml").write_text('[[team]]\nteam = "First"\nsubportals = []\n')
    assert outcome("serve", "--check-config") == Exit.USAGE
    assert "desk.toml: team[0].team: expected" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--check-config"], []])
def test_a_desk_file_that_would_be_refused_leaves_nothing_written(
    account: Path, option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (account.parent / "desk.toml").write_text('[[team]]\nteam = "first"\nsubportals = ["nowhere"]\n')
    assert outcome("serve", "-c", "c.toml", "--data", "data", *option) == Exit.USAGE
    told = capsys.readouterr().err
    assert "desk.toml: team[0].subportals[0]: expected the name of a sub-portal" in told
    assert not (account.parent / "data").exists()


# --- status ---------------------------------------------------------------------------------------------


@pytest.fixture
def answering(request: pytest.FixtureRequest) -> Callable[[dict[str, int]], str]:
    """Starts an HTTP server that answers each path with a status; returns its address."""

    def start(statuses: dict[str, int]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(statuses[self.path])
                self.end_headers()
                self.wfile.write(b"journal: down\n")

            def log_message(self, format: str, *args: object) -> None:
                """Tests print nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        request.addfinalizer(stop)
        return f"http://127.0.0.1:{server.server_address[1]}"

    return start


@pytest.mark.parametrize(
    ("ready", "code", "told"), [(200, Exit.OK, "lives and takes work"), (503, Exit.FAILED, "journal: down")]
)
def test_status_tells_how_a_broker_is(
    answering: Callable[[dict[str, int]], str],
    ready: int,
    code: Exit,
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = answering({"/healthz": 200, "/readyz": ready})
    assert outcome("status", "--server", url) == code
    assert told in capsys.readouterr().out
    assert outcome("status", "--server", url.removeprefix("http://"), "--json") == code
    assert json.loads(capsys.readouterr().out) == {
        "server": url,
        "alive": True,
        "ready": ready == 200,
        "detail": "journal: down",
    }


def test_status_without_a_broker_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("status", "--server", "http://127.0.0.1:1") == Exit.UNREACHABLE
    assert "no broker answers at http://127.0.0.1:1: Connection refused" in capsys.readouterr().err


def test_an_address_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome("status", "--server", "http://127.0.0.1:port") == Exit.USAGE
    assert "is no address" in capsys.readouterr().err


# --- conformance ----------------------------------------------------------------------------------------


def test_the_vectors_are_played_with_the_brokers_own_key(clean: Path) -> None:
    key = secrets.load_or_create(clean / "data").token_key
    args = parser().parse_args(["conformance", "--data", "data"])
    conformance.complete(args)
    assert bytes.fromhex(args.key) == key


def test_without_a_key_it_is_that_of_the_vectors() -> None:
    args = parser().parse_args(["conformance"])
    conformance.complete(args)
    assert args.key is None


def test_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="--key: expected hexadecimal digits"):
        conformance.complete(parser().parse_args(["conformance", "--key", "xyz"]))
    with pytest.raises(secrets.SecretError, match=r"secret\.key is missing"):
        conformance.complete(parser().parse_args(["conformance", "--data", "nowhere"]))


# --- what is handed over ----------------------------------------------------------------------------------


def test_a_websocket_address_is_the_same_broker() -> None:
    assert parser().parse_args(["conformance", "--server", "wss://h.example/"]).server == "https://h.example"


def test_a_representatives_token_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, "v1.from.environment")
    args = parser().parse_args(["connect", "representative"])
    connect.complete(args)
    assert args.token == "v1.from.environment"


def test_the_demo_prints_what_is_needed_to_use_it(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = parser().parse_args(["demo", "--port", "0"])
    config = demo.config_of(args)
    demo.announce(config, "http://127.0.0.1:9999", as_json=False)
    text = capsys.readouterr().out
    assert "http://127.0.0.1:9999" in text
    assert "ws://127.0.0.1:9999/v1/ws" in text
    assert "Add --server http://127.0.0.1:9999" in text
    for portal in ("pick", "ask", "button", "pin", "global-pin", "queue-ask", "queue-button"):
        assert f"demo/{portal} " in text
    signer = Signer(secrets.load(clean / "var/demo").token_key)
    tokens = re.findall(r"v1\.\S+", text)
    people = {(claims.person, claims.role) for claims in (signer.verify(token, 0) for token in tokens)}
    assert people == set(demo.PEOPLE)


def test_the_demo_tells_machines_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    config = demo.config_of(parser().parse_args(["demo"]))
    demo.announce(config, "https://127.0.0.1:8470", as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["websocket"] == "wss://127.0.0.1:8470/v1/ws"
    assert [person["role"] for person in told["people"]].count("representative") == 3
    assert {(portal["mode"], portal["kind"]) for portal in told["portals"]} == {
        ("web", "pick"),
        ("web", "ask"),
        ("web", "button"),
        ("phone", "pin"),
        ("phone", "global_pin"),
        ("queue", "ask"),
        ("queue", "button"),
    }
    assert told["expires"] > NOW + 12 * HOURS


def test_the_demo_is_the_same_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNTGROUP_SERVER_PORT", "1")
    config = demo.config_of(parser().parse_args(["demo"]))
    assert (config.server.port, config.data.path, config.accounts[0].name) == (8470, Path("var/demo"), "demo")


def test_a_reader_that_has_enough_is_no_error() -> None:
    code = (
        "import os, sys; from broker.cli import main; r, w = os.pipe(); os.close(r); os.dup2(w, 1);"
        "sys.exit(main(['serve', '--print-config']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr) == (0, "")


def test_A13_an_entry_token_says_what_it_was_told_and_nothing_wrong(
    clean: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ("entry", "acme", "help", "--page", "https://x.example/a", "--language", "de", "--class", "gold")
    assert outcome(*argv, "--skill", "tax", "--skill", "law", "--life", "7d", "--json") == Exit.OK
    made = json.loads(capsys.readouterr().out)
    found = Signer(secrets.load_or_create(clean / "var/huntgroup").token_key).verify(made["token"], NOW, Purpose.ENTRY)
    assert (found.account, found.portal, found.page) == ("acme", "help", "https://x.example/a")
    assert (found.language, found.class_, found.skills) == ("de", "gold", ("tax", "law"))
    assert found.expires == made["expires"]
    assert outcome("entry", "acme", "help") == Exit.OK
    assert capsys.readouterr().out.startswith("v1.")
    assert outcome("entry", "acme", "help", "--page", "x") == Exit.USAGE
    assert "page: expected" in capsys.readouterr().err


def test_a_password_comes_from_a_file_the_environment_or_the_terminal_and_never_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    argv = ["connect", "representative", "--account", "demo", "--login", "ann"]
    file = tmp_path / "password"
    file.write_text("of-File 1\r\nmore\n", encoding="utf-8")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda words: f"typed at {words}")
    found = []
    for given, variable in ((["--password-file", str(file)], "of-Variable"), ([], "of-Variable"), ([], "")):
        monkeypatch.setenv("HUNTGROUP_PASSWORD", variable)
        args = parser().parse_args([*argv, *given])
        connect.complete(args)
        found.append(args.password)
    assert found == ["of-File 1", "of-Variable", "typed at Password of ann: "]
    monkeypatch.setattr("getpass.getpass", lambda words: "")
    with pytest.raises(UsageError, match="an empty password"):
        connect.complete(parser().parse_args(argv))
    options = parser().parse_args([*argv, "--token", "t"]).__dict__
    assert not {"password", "key"} & options.keys()  # there are no such options


def test_a_key_comes_from_the_first_line_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"hg_k_s\n")
    args = parser().parse_args(["connect", "manager", "--key-file", str(file)])
    connect.complete(args)
    assert (args.key, args.password, args.token) == ("hg_k_s", None, None)
    file.write_bytes(b"\xff\n")
    with pytest.raises(UsageError, match="it is not UTF-8"):
        connect.complete(args)
