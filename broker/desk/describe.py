"""What a customer's page tells of its device, for staff: bounded documents beside the session (F6, F7).

What they say is between page and console: the desk counts them and looks at their size, and keeps nothing of them.
Consent to collect is the page's to ask for. They are told in ``session:<id>:staff``, and erased with the case.
"""

from __future__ import annotations

from broker import limits
from broker.codes import Code
from broker.desk import chat, functions
from broker.desk import events as e
from broker.desk.outcome import Decision, Refusal, bad_args, no_such
from broker.desk.state import Context, EndedSession, Portal, Representative, Session, State
from broker.protocol import ops

# --- decide ----------------------------------------------------------------------------------------


def describe(state: State, command: ops.SessionDescribe, context: Context) -> Decision | Refusal:
    """The page of a customer tells what its device is, or what was collected there."""
    found = _of(state, command.session, context)
    if isinstance(found, Refusal):
        return found
    session, portal, holder = found
    if command.kind == "diagnostics":
        refusal = functions.refuse(state, portal, holder, "screen_share")
        if refusal is not None:
            return refusal
    if len(command.data.text.encode()) > limits.DESCRIBE_BYTES:
        return bad_args("args.data", f"at most {limits.DESCRIBE_BYTES} bytes in all")
    most = limits.SESSION_DOCUMENTS
    if session.documents >= most:
        return Refusal(
            Code.QUOTA, f"a session has at most {most} documents", {"limit": "session_documents", "most": most}
        )
    event = e.SessionDescribed(command.session, command.kind, command.data.ref)
    return Decision([event], {"session": command.session})


def _of(
    state: State, name: str, context: Context
) -> tuple[Session | EndedSession, Portal, Representative | None] | Refusal:
    """The session, its portal, and who has it (or its share); while it is open, or its share goes on: until then its
    case is kept, so there is always something to erase it with."""
    assert context.identity is not None
    who, session = context.identity.person, state.sessions.get(name)
    if session is not None:
        if session.visitor != who:
            return no_such("session")
        holder = None if session.representative is None else state.representatives[session.representative]
        return session, state.portals[state.requests[session.request].portal], holder
    share = state.shares.get(state.sharing.get(name, ""))
    if share is None or share.visitor != who:
        return chat.over(state, name, context)
    return state.ended_sessions[name], state.portals[share.portal], state.representatives[share.representative]


# --- evolve ----------------------------------------------------------------------------------------


def session_described(state: State, event: e.SessionDescribed, t: int) -> None:
    """Apply ``SessionDescribed``: it counts, and is the journal's."""
    (state.sessions.get(event.session) or state.ended_sessions[event.session]).documents += 1
    state.release(event.data)
