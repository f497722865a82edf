"""Reads the configuration: a TOML file, then the environment, then the command line; each wins over the one before.

Whatever is wrong is told at once, each with its field and what was expected there; nothing is guessed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from broker.config.kinds import Kind, Unfit, nearest, toml
from broker.config.settings import SECTIONS, Account, Config, settings_of
from broker.limits import DEAD_AFTER_HEARTBEATS

PREFIX: Final = "HUNTGROUP_"


class ConfigError(Exception):
    """The configuration can't be used. ``problems``: one line each, beginning with the field."""

    def __init__(self, problems: list[str], source: str = "configuration") -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.problems = problems


@attrs.define
class _Reader:
    """Collects what is wrong, so that one start tells all of it."""

    folder: Path
    problems: list[str] = attrs.Factory(list)

    def value(self, kind: Kind[Any], where: str, value: object, shown: str) -> object:
        """The value as its kind reads it; attrs.NOTHING after noting why not."""
        try:
            return kind.read(value, self.folder)
        except Unfit:
            self.problems.append(f"{where}: expected {kind.expected}, got {kind.shown(shown)}")
            return attrs.NOTHING

    def section(self, section: type, where: str, table: object) -> dict[str, object]:
        """The settings that a table gives."""
        if not isinstance(table, dict):
            self.problems.append(f"{where}: expected a table, got {_shown(table)}")
            return {}
        known = settings_of(section)
        found: dict[str, object] = {}
        for name, value in table.items():
            if name not in known:
                self.problems.append(f"{where}.{name}: there is no such setting{nearest(name, known)}")
            else:
                found[name] = self.value(known[name].metadata["kind"], f"{where}.{name}", value, _shown(value))
        return found

    def accounts(self, tables: object) -> tuple[Account, ...]:
        """The accounts, complete ones only."""
        if not isinstance(tables, list):
            self.problems.append(f"accounts: expected [[accounts]] tables, got {_shown(tables)}")
            return ()
        accounts = []
        for number, table in enumerate(tables):
            where = f"accounts[{number}]"
            found = self.section(Account, where, table)
            missing = [field for name, field in settings_of(Account).items() if name not in found]
            self.problems.extend(
                f"{where}.{field.name}: expected {field.metadata['kind'].expected}, got nothing" for field in missing
            )
            if not missing and attrs.NOTHING not in found.values():
                accounts.append(Account(**found))  # type: ignore[arg-type]  # each value was read by its own kind
        return tuple(accounts)


def load(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Config:
    """The configuration from a file (None: defaults alone), environment variables and ``section.field`` overrides.

    Relative paths count from the file's folder; those of the environment and of overrides, and of a
    configuration without a file, from the working directory. Raises ``ConfigError`` naming every wrong field.
    """
    tables = _toml(path) if path is not None else {}
    reader = _Reader(path.parent if path is not None else Path())
    found: dict[str, dict[str, object]] = {name: {} for name in SECTIONS}
    accounts: tuple[Account, ...] = ()
    for name, table in tables.items():
        if name == "accounts":
            accounts = reader.accounts(table)
        elif name in SECTIONS:
            found[name] = reader.section(SECTIONS[name], name, table)
        else:
            reader.problems.append(f"{name}: there is no such section{nearest(name, [*SECTIONS, 'accounts'])}")
    here = _Reader(Path(), reader.problems)
    for where, section, name, text in [*_environment(environ or {}, here), *_given(overrides or {})]:
        kind = settings_of(SECTIONS[section])[name].metadata["kind"]
        try:
            value = kind.parse(text)
        except Unfit:
            here.problems.append(f"{where}: expected {kind.expected}, got {kind.shown(toml(text))}")
        else:
            found[section][name] = here.value(kind, where, value, toml(text))
    sections = {
        name: SECTIONS[name](**{key: value for key, value in values.items() if value is not attrs.NOTHING})
        for name, values in found.items()
    }
    config = Config(accounts=accounts, **sections)
    problems = [*reader.problems, *_together(config)]
    if problems:
        raise ConfigError(problems, str(path) if path is not None else "configuration")
    return config


def variable(section: str, name: str) -> str:
    """The environment variable of a setting.

    >>> variable("server", "port")
    'HUNTGROUP_SERVER_PORT'
    """
    return f"{PREFIX}{section}_{name}".upper()


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"can't be read: {error.strerror}"], str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"is not TOML: {error}"], str(path)) from None


def _environment(environ: Mapping[str, str], reader: _Reader) -> Iterator[tuple[str, str, str, str]]:
    """(variable, section, name, text) of our variables. Others that begin alike are left alone: systems that start
    containers set ``HUNTGROUP_PORT`` and the like by themselves."""
    for key in sorted(environ):
        for section, cls in SECTIONS.items():
            start = f"{PREFIX}{section}_".upper()
            if key.startswith(start):
                name, known = key.removeprefix(start).lower(), settings_of(cls)
                if name in known:
                    yield key, section, name, environ[key]
                else:
                    near = nearest(key, [variable(section, name) for name in known])
                    reader.problems.append(f"{key}: there is no such setting{near}")


def _given(overrides: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """(option, section, name, text) of the command line's own."""
    for where, text in overrides.items():
        section, _, name = where.partition(".")
        yield where, section, name, text


def _together(config: Config) -> Iterator[str]:
    """What is wrong between fields that are right by themselves."""
    if (config.server.certificate is None) is not (config.server.key is None):
        lacking = "key" if config.server.key is None else "certificate"
        yield f"server.{lacking}: expected certificate and key together, got only one of them"
    least = int(config.heartbeat.representative_ms * DEAD_AFTER_HEARTBEATS)
    if config.timeouts.lease_ms < least:
        yield (
            f"timeouts.lease_ms: expected at least {least}, 2.5 times heartbeat.representative_ms,"
            f" got {config.timeouts.lease_ms}"
        )
    yield from _signing_in(config)
    names: dict[object, int] = {}
    slots: dict[object, int] = {}
    for number, account in enumerate(config.accounts):
        for field, value, seen in (("name", account.name, names), ("slot", account.slot, slots)):
            if value in seen:
                other = f"accounts[{seen[value]}]"
                yield f"accounts[{number}].{field}: expected another than {other} has, got {toml(value)}"
            seen.setdefault(value, number)
        if account.slot >= config.pins.slots:
            yield f"accounts[{number}].slot: expected less than pins.slots, {config.pins.slots}, got {account.slot}"


def _signing_in(config: Config) -> Iterator[str]:
    """The same, of sign-ins and e-mail."""
    mail = config.mail
    if config.sign_in.refresh_ms < config.sign_in.access_ms:
        yield (
            f"sign_in.refresh_ms: expected at least sign_in.access_ms, {config.sign_in.access_ms},"
            f" got {config.sign_in.refresh_ms}"
        )
    if mail.host is not None and mail.sender is None:
        yield "mail.sender: expected an address with mail.host, got nothing"
    if mail.host is None and (mail.sender or mail.user or mail.password or mail.password_file):
        yield "mail.host: expected a host name with the other settings of mail, got nothing"
    if (mail.user is None) is not (mail.password is None and mail.password_file is None):
        lacking, given = ("user", "a password") if mail.user is None else ("password", "mail.user")
        yield f"mail.{lacking}: expected together with {given}, got nothing"
    if mail.user is not None and mail.security == "none":
        yield "mail.security: expected starttls or tls with a password, which would travel in the clear, got none"


def _shown(value: object) -> str:
    """A TOML value for an error message, on one line and not too long."""
    text = "a table" if isinstance(value, dict) else toml(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
