"""How people come in: sign-ins that are refreshed and ended, passwords, API keys. Never a secret, only what proves one.

A password is a content (the text of its argon2 hash), so that a replaced one is erased; of an API key the keyed digest
is kept. Who verifies either is the hub: a desk says what is known of a person, and records what came of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from broker import ids, limits
from broker.codes import Code
from broker.desk import commands as c
from broker.desk import events as e
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Decision, Refusal, bad_args, no_such, wrong_state
from broker.desk.state import Access, ApiKey, Context, SignIn, State
from broker.protocol import ops

# --- who is let in ---------------------------------------------------------------------------------


def admits(state: State, identity: Identity, sign_in: str | None, issued: int | None) -> bool:
    """Whether a verified credential of a manager, representative or service still opens the account: its sign-in goes
    on, and nobody signed this person out since it was made."""
    if sign_in is not None and sign_in not in state.sign_ins and sign_in not in state.keys:
        return False
    access = state.access.get(identity.person)
    return access is None or (issued or 0) >= access.signed_out or sign_in is not None


def exists(state: State, role: str, person: str) -> bool:
    """Whether somebody of this role and name is configured: who can have a password or a key."""
    match role:
        case Role.REPRESENTATIVE:
            return person in state.representatives
        case Role.MANAGER:
            return person in state.managers
        case _:
            return person in state.services


def role_of(state: State, person: str) -> Role | None:
    """What somebody of this name is to the account; each name is one person's."""
    for role in (Role.REPRESENTATIVE, Role.MANAGER, Role.SERVICE):
        if exists(state, role, person):
            return role
    return None


# --- decide ----------------------------------------------------------------------------------------


def sign_in(state: State, command: c.SignIn, context: Context) -> Decision | Refusal:
    """Somebody proved to be who it says. The oldest of too many sign-ins ends."""
    if not exists(state, command.role, command.person) or command.had != passwords_of(state, command.person):
        return no_such("person")  # or with a password that is another by now
    name = f"n_{ids.token(context.entropy)}"
    event = e.SignedIn(name, command.person, command.role, command.how, command.network, command.until)
    happened: list[e.Event] = [event]
    access = state.access.get(command.person)
    if access is not None and len(access.sign_ins) >= limits.MAX_SIGN_INS:
        oldest = next(iter(access.sign_ins))
        happened.append(e.SignInsEnded(command.person, (oldest,), "too_many", "broker"))
    return Decision(happened, {"sign_in": name, "serial": 0})


def refresh(state: State, command: c.Refresh, context: Context) -> Decision | Refusal:
    """A refresh token was shown. Each is good once; the one before the last within a grace, for an answer may have been
    lost. An older one was copied: whoever has it and whoever it was stolen from are both signed out."""
    known = state.sign_ins.get(command.sign_in)
    if known is None or known.person != command.person:
        return Refusal(Code.NOT_ALLOWED, "this sign-in is over")
    late = command.serial == known.serial - 1 and context.now < known.refreshed + limits.REFRESH_GRACE
    if late:  # the same answer again, however often it is lost: another one would make the lost one a copy
        return Decision(value={"serial": known.serial})
    if command.serial != known.serial:
        return Decision([e.SignInsEnded(known.person, (known.sign_in,), "copied", "broker")], {"copied": True})
    serial = known.serial + 1
    return Decision([e.SignInRefreshed(known.sign_in, serial, command.until)], {"serial": serial})


def end(state: State, command: ops.SignInEnd, context: Context) -> Decision | Refusal:
    """Sign somebody out: of one sign-in, or of everything, tokens without a sign-in included."""
    person = command.person or context.who
    if role_of(state, person) is None:
        return no_such("person")
    access = state.access.get(person)
    own = () if access is None else tuple(access.sign_ins)
    if command.sign_in is None:
        return Decision([e.SignInsEnded(person, own, "signed_out", context.who, everything=True)], {"ended": len(own)})
    if command.sign_in not in own:
        return no_such("sign-in")
    return Decision([e.SignInsEnded(person, (command.sign_in,), "signed_out", context.who)], {"ended": 1})


def listed(state: State, command: ops.SignInList, context: Context) -> Decision | Refusal:
    """Where somebody is signed in, the oldest first."""
    person = command.person or context.who
    access = state.access.get(person)
    if access is None and role_of(state, person) is None:
        return no_such("person")
    found = [state.sign_ins[name] for name in access.sign_ins] if access is not None else []
    return Decision(
        value={
            "sign_ins": [
                {"sign_in": one.sign_in, "how": one.how, "since": one.since, "until": one.until, "network": one.network}
                for one in found
            ]
        }
    )


def set_password(state: State, command: ops.PasswordSet, context: Context) -> Decision | Refusal:
    """A password that was chosen by its person, or by a manager for somebody else. ``prepared``: its hash, and the
    asker's own sign-in, which goes on."""
    prepared = context.prepared
    assert isinstance(prepared, c.Hashed)
    person = command.person or context.who
    if role_of(state, person) not in (Role.REPRESENTATIVE, Role.MANAGER):
        return no_such("person")
    own = person == context.who
    if prepared.had is not None and prepared.had != passwords_of(state, person):
        return wrong_state("changed", "password.set", text="the password was changed meanwhile: name the one of now")
    event = e.PasswordSet(person, prepared.password, context.who, must_change=not own)
    return Decision(_with_password(state, event, prepared.keep if own else None), {"person": person})


def by_link(state: State, command: c.SetPassword, context: Context) -> Decision | Refusal:
    """A password chosen by a link that was sent: good as long as no other was set since the link was made."""
    if role_of(state, command.person) not in (Role.REPRESENTATIVE, Role.MANAGER):
        return no_such("person")
    role = role_of(state, command.person)
    if command.had != passwords_of(state, command.person) or role is None:
        return wrong_state("used", "password.link")
    happened = _with_password(state, e.PasswordSet(command.person, command.password, command.person), None)
    if command.network is not None:
        happened.append(e.Audited(command.person, role, command.network, "password.set", command.person))
    return Decision(happened)


def rehash(state: State, command: c.Rehashed, context: Context) -> Decision:
    """The same password at today's cost, if it is still the same."""
    access = state.access.get(command.person)
    if access is None or access.passwords != command.had:
        return Decision()
    return Decision([e.PasswordSet(command.person, command.password, "broker", must_change=access.must_change)])


def passwords_of(state: State, person: str) -> int:
    """How many passwords this person has had; whatever makes links worthless counts as one."""
    access = state.access.get(person)
    return 0 if access is None else access.passwords


def outdate(state: State, person: str) -> None:
    """Links that are under way to this person are worthless from now on."""
    access_of(state, person).passwords += 1


def _with_password(state: State, event: e.PasswordSet, keep: str | None) -> list[e.Event]:
    """Whoever knew the old one is out: all other sign-ins end."""
    access = state.access.get(event.person)
    others = tuple(name for name in (access.sign_ins if access is not None else ()) if name != keep)
    ended = e.SignInsEnded(event.person, others, "password", event.by)
    return [event, ended] if others else [event]


def link(state: State, command: ops.PasswordLink, context: Context) -> Decision | Refusal:
    """A link to choose a password is to be sent; the hub sends it once this is in the audit."""
    person = state.representatives.get(command.person) or state.managers.get(command.person)
    if person is None:
        return no_such("person")
    if person.email is None:
        return wrong_state("no_email", "representative.put", "manager.put", "password.set")
    return Decision(value={"person": command.person})


def create_key(state: State, command: ops.KeyCreate, context: Context) -> Decision | Refusal:
    """An API key for a service or an API manager: two at a time, so that one can be replaced without a gap.
    ``prepared``: the key."""
    made = context.prepared
    assert isinstance(made, c.MadeKey)
    role = role_of(state, command.person)
    manager = state.managers.get(command.person)
    if role is not Role.SERVICE and (manager is None or manager.kind != "api"):
        return bad_args("args.person", "a service or an API manager")
    access = state.access.get(command.person)
    live = 0 if access is None else len(access.keys)
    if live >= limits.MAX_KEYS:
        return Refusal(Code.QUOTA, f"at most {limits.MAX_KEYS} keys a person: revoke one first")
    for index, scope in enumerate(command.scopes or ()):
        if role is not Role.SERVICE or scope not in state.services[command.person].scopes:
            return bad_args(f"args.scopes[{index}]", "a scope of that service")
    scopes = None if command.scopes is None else tuple(sorted(set(command.scopes)))
    expires = context.now + (command.life_ms or limits.KEY_LIFE)
    event = e.KeyCreated(made.key, command.person, made.digest, scopes, expires, context.who)
    return Decision([event], {"prefix": made.key, "expires": expires}, {"secret": made.text})


def revoke_key(state: State, command: ops.KeyRevoke, context: Context) -> Decision | Refusal:
    """Make a key worthless; its connections end."""
    key = state.keys.get(command.prefix)
    if key is None:
        return no_such("key")
    return Decision([e.KeyEnded(key.key, key.person, "revoked", context.who)], {"prefix": key.key})


def list_keys(state: State, command: ops.KeyList, context: Context) -> Decision | Refusal:
    """Live keys, without what they prove."""
    found = [key for key in state.keys.values() if command.person in (None, key.person)]
    return Decision(value={"keys": [_shown(key) for key in found]})


def _shown(key: ApiKey) -> dict[str, object]:
    shown: dict[str, object] = {
        "prefix": key.key,
        "person": key.person,
        "created": key.created,
        "expires": key.expires,
    }
    return shown if key.scopes is None else {**shown, "scopes": list(key.scopes)}


# --- due -------------------------------------------------------------------------------------------


def sign_in_over(state: State, name: str, now: int) -> list[e.Event]:
    """Not refreshed for too long."""
    return [e.SignInsEnded(state.sign_ins[name].person, (name,), "expired", "broker")]


def key_over(state: State, name: str, now: int) -> list[e.Event]:
    """A key's time is over."""
    return [e.KeyEnded(name, state.keys[name].person, "expired", "broker")]


# --- evolve ----------------------------------------------------------------------------------------


def access_of(state: State, person: str) -> Access:
    """What is known of how this person comes in, made if there is nothing yet."""
    return state.access.setdefault(person, Access(person))


def signed_in(state: State, event: e.SignedIn, t: int) -> None:
    """Apply ``SignedIn``."""
    state.sign_ins[event.sign_in] = SignIn(
        event.sign_in, event.person, event.role, event.how, event.network, t, event.until, refreshed=t
    )
    access_of(state, event.person).sign_ins[event.sign_in] = None
    state.deadlines.set("sign_in", event.sign_in, event.until)


def sign_in_refreshed(state: State, event: e.SignInRefreshed, t: int) -> None:
    """Apply ``SignInRefreshed``."""
    known = state.sign_ins[event.sign_in]
    known.serial, known.refreshed, known.until = event.serial, t, event.until
    state.deadlines.set("sign_in", event.sign_in, event.until)


def sign_ins_ended(state: State, event: e.SignInsEnded, t: int) -> None:
    """Apply ``SignInsEnded``."""
    access = access_of(state, event.person)
    _end(state, access, event.sign_ins)
    if event.everything:
        access.signed_out = t
        outdate(state, event.person)


def _end(state: State, access: Access, names: Iterable[str]) -> None:
    for name in names:
        del state.sign_ins[name], access.sign_ins[name]
        state.deadlines.set("sign_in", name, None)


def password_set(state: State, event: e.PasswordSet, t: int) -> None:
    """Apply ``PasswordSet``: the one before is erased."""
    access = access_of(state, event.person)
    state.forget(access.password)
    access.password, access.must_change = event.password, event.must_change
    access.passwords += 1


def key_created(state: State, event: e.KeyCreated, t: int) -> None:
    """Apply ``KeyCreated``."""
    state.keys[event.key] = ApiKey(event.key, event.person, event.digest, event.scopes, t, event.expires)
    access_of(state, event.person).keys[event.key] = None
    state.deadlines.set("key", event.key, event.expires)


def key_ended(state: State, event: e.KeyEnded, t: int) -> None:
    """Apply ``KeyEnded``."""
    del state.keys[event.key], state.access[event.person].keys[event.key]
    state.deadlines.set("key", event.key, None)


def part_with(state: State, person: str, former: str) -> None:
    """Somebody left: everything that opened the account for it is gone, and its name is nobody's for ever."""
    access = state.access.pop(person, None)
    if access is not None:
        for key in access.keys:
            del state.keys[key]
            state.deadlines.set("key", key, None)
        _end(state, access, tuple(access.sign_ins))
        state.forget(access.password)
    state.former[person] = former
    state.streams.pop(f"me:{person}", None)
