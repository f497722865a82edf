"""Adding an account to a configuration file: the rest of it stays as it is, byte for byte."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from broker.config import ConfigError, load
from broker.config.accounts import add_account, checked, replace

OTHERS = """\
# ours
[server]   # where
port = 1234

[[accounts]]  # the first
name = "one"
slot = 4
desk = "one.toml"

[logs]
level = "debug"  # for now
"""


def added(folder: Path, text: str | None, name: str = "acme", slot: int | None = None) -> tuple[str, int]:
    path = folder / "c.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    return add_account(path, name, f"{name}.desk.toml", slot)


@pytest.mark.parametrize("text", [None, "", "# a remark", "[server]\nport = 1 # x\n", OTHERS])
def test_an_account_is_added_and_all_else_stays(tmp_path: Path, text: str | None) -> None:
    whole, slot = added(tmp_path, text)
    for line in (text or "").splitlines():
        assert line in whole.splitlines()
    config = checked(tmp_path / "c.toml", whole)
    assert [account.name for account in config.accounts][-1] == "acme"
    assert config.accounts[-1].desk == tmp_path / "acme.desk.toml"
    assert (config.accounts[-1].slot, slot) == ((5, 5) if text == OTHERS else (0, 0))
    if text == OTHERS:
        assert (config.logs.level, config.server.port) == ("debug", 1234)


def test_a_slot_is_above_all_others_unless_it_is_given(tmp_path: Path) -> None:
    assert added(tmp_path, OTHERS)[1] == 5, "0 to 3 may be what accounts that are gone have left"
    assert added(tmp_path, OTHERS, slot=2)[1] == 2
    whole, _ = added(tmp_path, OTHERS, slot=4)
    with pytest.raises(ConfigError, match=r"accounts\[1\]\.slot: expected another than accounts\[0\] has"):
        checked(tmp_path / "c.toml", whole)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (OTHERS.replace("one", "acme"), "there is an account acme already"),
        ("accounts = 5\n", r"accounts: expected \[\[accounts\]\] tables"),
        ("[accounts]\nname = 1\n", r"accounts: expected \[\[accounts\]\] tables"),
        ("accounts = [1]\n", r"accounts: expected \[\[accounts\]\] tables"),
        ("[[accounts]\n", "is not TOML"),
    ],
)
def test_what_can_not_take_one_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        added(tmp_path, text)


def test_a_file_that_can_not_be_read_or_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        add_account(tmp_path, "acme", "d.toml")
    with pytest.raises(ConfigError, match="can't be written"):
        replace(tmp_path / "nowhere" / "c.toml", "")


def test_what_is_wrong_with_the_whole_is_told_of_the_file_itself(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    with pytest.raises(ConfigError, match=rf"{path}: server\.port: expected"):
        checked(path, "[server]\nport = 'x'\n")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole_and_stays_as_readable_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    replace(path, OTHERS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600, "a new one is its owner's"
    path.chmod(0o644)
    replace(path, OTHERS + "# more\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [path] == list(tmp_path.iterdir())
    assert load(path).accounts[0].name == "one"
