"""The rendered settings: the default file changes nothing, and every setting is in both renderings."""

import tomllib
from pathlib import Path

import pytest

from broker.config import Config, load
from broker.config.kinds import toml
from broker.config.load import variable
from broker.config.render import default_file, reference
from broker.config.settings import SECTIONS, Account, settings_of

ALL = [(section, field) for section, cls in SECTIONS.items() for field in settings_of(cls).values()]


def test_the_default_file_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "huntgroup.toml"
    path.write_text(default_file())
    assert load(path) == Config()


def test_the_default_file_without_its_comment_signs_is_a_configuration(tmp_path: Path) -> None:
    keys = {field.name for _, field in ALL} | set(settings_of(Account))
    lines = []
    for line in default_file().splitlines():
        bare = line.removeprefix("# ")
        is_setting = bare.split(" = ")[0] in keys or bare == "[[accounts]]"
        lines.append(bare if is_setting else line)
    path = tmp_path / "huntgroup.toml"
    path.write_text("\n".join(lines))
    config = load(path)
    assert config.server.certificate == tmp_path / "certificate.pem"
    assert [account.name for account in config.accounts] == ["acme"]
    assert config.limits == Config().limits


@pytest.mark.parametrize(("section", "field"), ALL, ids=lambda value: getattr(value, "name", value))
def test_every_setting_is_documented(section: str, field: object) -> None:
    name = field.name  # type: ignore[attr-defined]  # an attrs.Attribute, whose type takes a parameter
    assert f"### `{section}.{name}`" in reference()
    assert variable(section, name) in reference()
    assert f"\n# {name} = " in default_file()
    assert field.metadata["doc"].endswith(".")  # type: ignore[attr-defined]  # the same


@pytest.mark.parametrize("value", [True, False, 0, -5, "", 'a"b\\c', "\x7f\x1f", "né", ["a", "b"], [], [1, 2]])
def test_values_are_written_as_toml_reads_them(value: object) -> None:
    assert tomllib.loads(f"x = {toml(value)}")["x"] == value
