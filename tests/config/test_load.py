"""Loading: what wins over what, and that a wrong field refuses the start by its name."""

from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.config import Account, Config, ConfigError, load
from broker.config.load import variable
from broker.config.settings import SECTIONS, settings_of


def write(folder: Path, text: str) -> Path:
    path = folder / "huntgroup.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """What is wrong with this file."""
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text), environ)
    return caught.value.problems


def test_nothing_given_is_the_defaults() -> None:
    assert load() == Config()


def test_the_default_address_is_this_machine_alone() -> None:
    assert (load().server.host, load().server.port) == ("127.0.0.1", 8470)


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [server]
        host = "::"
        port = 443
        certificate = "tls/chain.pem"
        key = "/etc/key.pem"
        allowed_origins = ["https://help.example.org", "http://[::1]:3000"]
        [data]
        path = "data"
        journal = "memory"
        writer = "thread"
        [[accounts]]
        name = "acme"
        slot = 3
        desk = "acme.toml"
        [limits]
        customer_rate = 7
        [heartbeat]
        representative_ms = 1000
        [timeouts]
        lease_ms = 2500
        [logs]
        level = "debug"
        format = "json"
        [metrics]
        enabled = false
        [pins]
        slots = 4
        [sign_in]
        access_ms = 60000
        refresh_ms = 120000
        hash_workers = 3
        """,
    )
    config = load(path)
    assert config.server.certificate == tmp_path / "tls/chain.pem"
    assert config.server.key == Path("/etc/key.pem")
    assert config.server.tls
    assert config.server.allowed_origins == ("https://help.example.org", "http://[::1]:3000")
    assert config.data.path == tmp_path / "data"
    assert (config.data.journal, config.data.writer) == ("memory", "thread")
    assert config.accounts == (Account(name="acme", slot=3, desk=tmp_path / "acme.toml"),)
    assert config.limits.customer_rate == 7
    assert (config.heartbeat.representative_ms, config.timeouts.lease_ms) == (1000, 2500)
    assert (config.logs.level, config.logs.format) == ("debug", "json")
    assert not config.metrics.enabled
    assert config.pins.slots == 4
    assert (config.sign_in.access_ms, config.sign_in.refresh_ms, config.sign_in.hash_workers) == (60000, 120000, 3)


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    path = write(tmp_path, "[server]\nhost = 'a'\nport = 1\n[data]\npath = 'in-file'")
    environ = {"HUNTGROUP_SERVER_PORT": "2", "HUNTGROUP_SERVER_HOST": "b", "HUNTGROUP_DATA_PATH": "in-env"}
    config = load(path, environ, {"server.port": "3"})
    assert (config.server.host, config.server.port) == ("b", 3)
    assert config.data.path == Path("in-env")


def test_variables_give_lists_and_switches() -> None:
    environ = {
        "HUNTGROUP_SERVER_ALLOWED_ORIGINS": "https://a.example, https://b.example",
        "HUNTGROUP_METRICS_ENABLED": "false",
    }
    config = load(environ=environ)
    assert config.server.allowed_origins == ("https://a.example", "https://b.example")
    assert not config.metrics.enabled
    assert load(environ={"HUNTGROUP_SERVER_ALLOWED_ORIGINS": ""}).server.allowed_origins == ()


def test_variables_that_are_not_ours_are_left_alone() -> None:
    assert load(environ={"HUNTGROUP_PORT": "tcp://10.0.0.1", "HUNTGROUP_SERVICE_HOST": "x", "PATH": "/bin"}) == Config()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[sign_in]\naccess_ms = 120000\nrefresh_ms = 60000",
            "sign_in.refresh_ms: expected at least sign_in.access_ms, 120000, got 60000",
        ),
        (
            "[server]\npublic_url = 'https://help.example.org/'",
            "server.public_url: expected an address like https://help.example.org, without a slash at its end, got"
            ' "https://help.example.org/"',
        ),
        ("[server]\nport = 'http'", 'server.port: expected a whole number from 0 to 65535, got "http"'),
        ("[server]\nport = 65536", "server.port: expected a whole number from 0 to 65535, got 65536"),
        ("[server]\nport = true", "server.port: expected a whole number from 0 to 65535, got true"),
        ("[server]\nport = 1.5", 'server.port: expected a whole number from 0 to 65535, got "1.5"'),
        ("[server]\nprot = 1", "server.prot: there is no such setting; did you mean port?"),
        ("[server]\nxyzzy = 1", "server.xyzzy: there is no such setting"),
        ("[srever]\nport = 1", "srever: there is no such section; did you mean server?"),
        ("server = 1", "server: expected a table, got 1"),
        ("[server]\nhost = ''", 'server.host: expected an address or a host name, got ""'),
        (
            "[server]\nallowed_origins = ['example.org']",
            "server.allowed_origins: expected a list, each an origin like https://help.example.org, or *,"
            ' got ["example.org"]',
        ),
        ("[server]\nkey = 'k'", "server.certificate: expected certificate and key together, got only one of them"),
        ("[server]\ncertificate = 'c'", "server.key: expected certificate and key together, got only one of them"),
        ("[data]\njournal = 'sqlite3'", 'data.journal: expected sqlite or memory, got "sqlite3"'),
        ("[data]\npath = 1", "data.path: expected the path of a folder, got 1"),
        ("[metrics]\nenabled = 'yes'", 'metrics.enabled: expected true or false, got "yes"'),
        (
            "[timeouts]\nlease_ms = 9999",
            "timeouts.lease_ms: expected at least 10000, 2.5 times heartbeat.representative_ms, got 9999",
        ),
        ("accounts = 'acme'", 'accounts: expected [[accounts]] tables, got "acme"'),
        ("accounts = [1]", "accounts[0]: expected a table, got 1"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected(tmp_path: Path, text: str, expected: str) -> None:
    assert problems(tmp_path, text)[0] == expected


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "[server]\nport = -1\nhots = 'x'\n[logs]\nlevel = 'loud'", {"HUNTGROUP_PINS_SLOTS": "x"})
    assert [problem.partition(":")[0] for problem in found] == [
        "server.port",
        "server.hots",
        "logs.level",
        "HUNTGROUP_PINS_SLOTS",
    ]


def test_the_message_names_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[server]\nport = 'x'")
    with pytest.raises(ConfigError, match=r"huntgroup\.toml: server\.port: expected"):
        load(path)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"HUNTGROUP_SERVER_PORT": "80 80"},
            'HUNTGROUP_SERVER_PORT: expected a whole number from 0 to 65535, got "80 80"',
        ),
        (
            {"HUNTGROUP_SERVER_PORT": "99999"},
            'HUNTGROUP_SERVER_PORT: expected a whole number from 0 to 65535, got "99999"',
        ),
        (
            {"HUNTGROUP_SERVER_PROT": "80"},
            "HUNTGROUP_SERVER_PROT: there is no such setting; did you mean HUNTGROUP_SERVER_PORT?",
        ),
        ({"HUNTGROUP_METRICS_ENABLED": "yes"}, 'HUNTGROUP_METRICS_ENABLED: expected true or false, got "yes"'),
    ],
)
def test_a_wrong_variable_is_named(environ: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(environ=environ)
    assert caught.value.problems == [expected]


ACCOUNT = "[[accounts]]\nname = 'acme'\nslot = 0\ndesk = 'a.toml'\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[accounts]]\nslot = 0\ndesk = 'a.toml'", "accounts[0].name: expected a slug"),
        ("[[accounts]]\nname = 'Acme'\nslot = 0\ndesk = 'a.toml'", "accounts[0].name: expected a slug"),
        (ACCOUNT + "dsek = 'b'", "accounts[0].dsek: there is no such setting; did you mean desk?"),
        (
            ACCOUNT + ACCOUNT.replace("slot = 0", "slot = 1"),
            'accounts[1].name: expected another than accounts[0] has, got "acme"',
        ),
        (ACCOUNT + ACCOUNT.replace("acme", "b"), "accounts[1].slot: expected another than accounts[0] has, got 0"),
        (
            ACCOUNT.replace("slot = 0", "slot = 1000"),
            "accounts[0].slot: expected less than pins.slots, 1000, got 1000",
        ),
    ],
)
def test_wrong_accounts_are_named(tmp_path: Path, text: str, expected: str) -> None:
    assert problems(tmp_path, text)[0].startswith(expected)


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: can't be read: No such file"):
        load(tmp_path / "none.toml")
    assert problems(tmp_path, "[server")[0].startswith("is not TOML:")
    (tmp_path / "huntgroup.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="is not TOML"):
        load(tmp_path / "huntgroup.toml")


def test_a_long_value_is_cut_in_the_message(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, f"[logs]\nlevel = '{'x' * 500}'")
    assert len(problem) < 200


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        load().server.port = 1  # type: ignore[misc]  # that it can't is the point


values = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=12)
variables = [variable(section, name) for section, cls in SECTIONS.items() for name in settings_of(cls)]


@given(st.dictionaries(st.sampled_from(variables), st.text(max_size=12)))
def test_any_environment_gives_a_config_or_names_its_variables(environ: dict[str, str]) -> None:
    try:
        load(environ=environ)
    except ConfigError as error:
        for problem in error.problems:
            where = problem.partition(":")[0]
            assert where in environ or where.split(".")[0] in SECTIONS


def test_the_home_of_nobody_is_no_place() -> None:
    with pytest.raises(
        ConfigError, match=r"HUNTGROUP_DATA_PATH: expected the path of a folder, got \"~nobody-at-all/x\""
    ):
        load(environ={"HUNTGROUP_DATA_PATH": "~nobody-at-all/x"})
