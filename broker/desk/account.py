"""What holds for a whole account: the modes its portals may have (A10, B5), what new passwords must be like (L1)."""

from __future__ import annotations

from typing import cast

import attrs

from broker.desk import events as e
from broker.desk.changes import changes
from broker.desk.outcome import Decision, Refusal, bad_args, wrong_state
from broker.desk.state import MODES, AccountSettings, Context, State
from broker.protocol import ops


def put_account(state: State, command: ops.AccountPut, context: Context) -> Decision | Refusal:
    """Set what holds for the whole account; what isn't given is as by default."""
    event = e.AccountPut(context.who, _modes(command))
    settings = AccountSettings()
    event.password_min = command.password_min or settings.password_min
    event.password_classes = settings.password_classes if command.password_classes is None else command.password_classes
    others = [portal.portal for portal in state.portals.values() if portal.mode not in event.modes]
    if others:
        text = f"portals of another mode are there: {', '.join(others[:_NAMED])}"
        return wrong_state("in_use", "portal.put", "portal.delete", text=text, portals=others[:_NAMED])
    event.changes = changes(shown(state.account_settings), shown(_settings(event)))
    return Decision([event] if event.changes else [], {"changed": bool(event.changes)})


_NAMED = 20  # portals told in a refusal: a developer needs some, a frame has a bound


def _modes(command: ops.AccountPut) -> tuple[str, ...]:
    """Each once, in the order in which they are always told."""
    return MODES if command.modes is None else tuple(mode for mode in MODES if mode in command.modes)


def refuse_mode(state: State, mode: str) -> Refusal | None:
    """Whether a portal may not have this mode."""
    allowed = state.account_settings.modes
    return None if mode in allowed else bad_args("args.mode", f"one of {', '.join(allowed)}, as the account allows")


def shown(settings: AccountSettings) -> dict[str, object]:
    """In the words of the operation."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in attrs.asdict(settings).items()}


def _settings(event: e.AccountPut) -> AccountSettings:
    return AccountSettings(**{field.name: getattr(event, field.name) for field in attrs.fields(AccountSettings)})


# --- evolve ----------------------------------------------------------------------------------------


def account_put(state: State, event: e.AccountPut, t: int) -> None:
    """Apply ``AccountPut``."""
    state.account_settings = _settings(event)


def as_row(settings: AccountSettings) -> tuple[object, ...]:
    """For a snapshot."""
    return attrs.astuple(settings)


def of_row(row: tuple[object, ...]) -> AccountSettings:
    """The settings that ``as_row`` was made of."""
    return AccountSettings(*cast("tuple[tuple[str, ...], int, int]", row))
