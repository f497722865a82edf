"""Files of a session: announced, sent in pieces, shared once all bytes are on disk; given up otherwise.

Theory of operation. The desk knows of a file what was announced, and whether it is shared; its bytes are the hub's
business (``runtime.files``), beside the journal. ``FileShared`` is decided only on what a worker found on the disk
(``Stored``), so nothing is ever told as shared that isn't there. An upload ends with its session; what was shared stays
until ``erase``, which whoever erases a case calls. Sizes count from the announcement on, so that uploads under way
can't pass a bound together.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

from broker import ids, limits
from broker.codes import Code
from broker.desk import chat, file_kinds, rights
from broker.desk import events as e
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Decision, Refusal, bad_args, no_such, wrong_state
from broker.desk.state import Context, File, Portal, Session, State
from broker.desk.transitions import ALLOWED, FILE, SESSION, move
from broker.protocol import ops

_HASH: Final = re.compile("[0-9a-f]{64}")


@attrs.frozen
class Stored:
    """What a worker found of a file, on the disk."""

    size: int
    sha256: str
    """In small hexadecimal digits."""
    head: bytes = attrs.field(repr=False)
    """How it begins."""


# --- decide ----------------------------------------------------------------------------------------


def begin(state: State, command: ops.FileBegin, context: Context) -> Decision | Refusal:
    """Somebody in a session wants to send a file."""
    identity = context.identity
    assert identity is not None
    session = state.sessions.get(command.session)
    if session is None:
        return chat.over(state, command.session, context)
    portal = state.portals[state.requests[session.request].portal]
    refusal = (
        chat.may_speak(state, session, identity, "file_transfer")
        or _unfit(portal, command)
        or _no_room(state, session, portal, identity, command.size)
    )
    if refusal is not None:
        return refusal
    event = e.FileBegun(
        file=f"f_{ids.token(context.entropy)}",
        session=session.session,
        role="customer" if identity.role is Role.CUSTOMER else "representative",
        by=identity.person,
        name=command.name.ref,
        size=command.size,
        type=command.type,
        sha256=command.sha256,
        until=context.now + limits.UPLOAD_LIFE,
    )
    return Decision([event], {"file": event.file, "offset": 0, "chunk_bytes": limits.FILE_CHUNK})


def _unfit(portal: Portal, command: ops.FileBegin) -> Refusal | None:
    """What this portal doesn't take."""
    most, _, types = portal.files
    if (refusal := file_kinds.wrong_name(command.name.text)) is not None:
        return refusal
    if not file_kinds.is_type(command.type) or not file_kinds.allowed(command.type, types):
        return bad_args("args.type", f"one of {', '.join(types) or 'none'}")
    if command.sha256 is not None and (refusal := _no_hash(command.sha256)) is not None:
        return refusal
    if command.size > most:
        text = f"args.size: this portal takes files of at most {most} bytes"
        return Refusal(Code.TOO_LARGE, text, {"path": "args.size", "max_bytes": most})
    return None


def _no_hash(sha256: str) -> Refusal | None:
    return None if _HASH.fullmatch(sha256) else bad_args("args.sha256", "64 small hexadecimal digits")


def _no_room(state: State, session: Session, portal: Portal, identity: Identity, size: int) -> Refusal | None:
    here = [state.files[name] for name in state.session_files.get(session.session, ())]
    if sum(one.until is not None and one.by == identity.person for one in here) >= limits.SESSION_UPLOADS:
        return _quota(f"at most {limits.SESSION_UPLOADS} uploads at once", "uploads", limits.SESSION_UPLOADS)
    if len(here) >= limits.SESSION_FILES:
        return _quota(f"a session has at most {limits.SESSION_FILES} files", "files", limits.SESSION_FILES)
    together = portal.files[1]
    if sum(one.size for one in here) + size > together:
        return _quota(f"the files of a session have at most {together} bytes", "session_bytes", together)
    if len(state.files) >= limits.ACCOUNT_FILES or state.file_bytes + size > limits.FILES_ACCOUNT_BYTES:
        return _quota("the account has no room for more files", "account_bytes", limits.FILES_ACCOUNT_BYTES)
    return None


def _quota(text: str, limit: str, most: int) -> Refusal:
    return Refusal(Code.QUOTA, text, {"limit": limit, "most": most})


def chunk(state: State, command: ops.FileChunk, context: Context) -> Decision | Refusal:
    """Whether these bytes are to be stored. It changes nothing: where the end is, the store knows."""
    file = _own(state, command.file, context)
    if isinstance(file, Refusal):
        return file
    if command.offset + len(command.data) > file.size:
        return bad_args("args.data", f"no more bytes than the {file.size} of file.begin")
    return Decision()


def finish(state: State, command: ops.FileFinish, context: Context) -> Decision | Refusal:
    """All bytes are there. ``prepared``: the ``Stored`` of a worker; without it this only says whether one shall
    look."""
    file = _own(state, command.file, context)
    if isinstance(file, Refusal):
        return file
    if (refusal := _no_hash(command.sha256)) is not None:
        return refusal
    stored = context.prepared
    if not isinstance(stored, Stored):
        return Decision()
    if (refusal := objection(file, command, stored)) is not None:
        return refusal
    number = state.sessions[file.session].messages + 1
    event = e.FileShared(
        file.file, file.session, number, file.role, file.by, file.name, file.size, file.type, stored.sha256
    )
    return Decision([event], {"file": file.file, "message_seq": number})


def objection(file: File, command: ops.FileFinish, stored: Stored) -> Refusal | None:
    """What is wrong with the bytes of an upload: then it starts anew."""
    if stored.size != file.size:
        return behind(stored.size)
    if stored.sha256 != command.sha256 or file.sha256 not in (None, stored.sha256):
        return bad_args("args.sha256", "the SHA-256 of the bytes that were sent, which begin anew now")
    if not file_kinds.fits(file.type, stored.head):
        return bad_args("args.file", f"bytes that begin as those of {file.type} do, which begin anew now")
    return None


def behind(offset: int) -> Refusal:
    """2410: the upload is at another place."""
    return wrong_state("uploading", *ALLOWED["file"]["uploading"], offset=offset)


def cancel(state: State, command: ops.FileCancel, context: Context) -> Decision | Refusal:
    """Give up an upload. Also for somebody who may send no more."""
    assert context.identity is not None
    file = state.files.get(command.file)
    if file is None or file.by != context.identity.person:
        return no_such("file")
    if file.until is None:
        return wrong_state("shared", *ALLOWED["file"]["shared"])
    return Decision([_ended(file, "cancelled")], {"file": file.file})


def get(state: State, command: ops.FileGet, context: Context) -> Decision | Refusal:
    """Whether this person may have a file's bytes, and what they are."""
    assert context.identity is not None
    file = state.files.get(command.file)
    if file is None or file.number > _heard(state, context.identity, file.session):
        return no_such("file")
    if file.until is not None:
        return wrong_state("uploading", *ALLOWED["file"]["uploading"])
    return Decision(value={"size": file.size, "type": file.type, "sha256": file.sha256})


def listed(state: State, command: ops.FileList, context: Context) -> Decision | Refusal:
    """What a session has, in the order in which it was shared; one's own uploads last."""
    assert context.identity is not None
    heard = _heard(state, context.identity, command.session)
    if heard < 0 or ids.case_of(command.session) not in state.cases:
        return no_such("session")
    here = [state.files[name] for name in state.session_files.get(command.session, ())]
    here = [one for one in here if one.number <= heard]
    own = [one for one in here if one.until is not None and one.by == context.identity.person]
    shared = sorted((one for one in here if one.until is None), key=lambda one: one.number)
    return Decision(value={"files": [_shown(one) for one in (*shared, *own)]})


_ALL: Final = 1 << 62  # more messages than any session has
_NOTHING: Final = -1


def _heard(state: State, identity: Identity, session: str) -> int:
    """Up to which message somebody may read a session, whether on its stream or in its transcript: what was shared
    there goes with it."""
    if rights.may_read(state, identity, f"session:{session}"):
        return _ALL
    found = rights.conversation(state, identity, session)
    if found is None:
        return _NOTHING
    if identity.role is not Role.REPRESENTATIVE:
        refused = rights.weigh(state, identity, ops.TranscriptGet(session, "text")) is not None
        return _NOTHING if refused else _ALL
    return _ALL if found.messages is None else found.messages


def _shown(file: File) -> dict[str, object]:
    told: dict[str, object] = {"file": file.file, "name": file.name, "size": file.size, "type": file.type}
    told["state"], told["role"] = "uploading" if file.until is not None else "shared", file.role
    if file.sha256 is not None:
        told["sha256"] = file.sha256
    if file.until is None:
        told["message_seq"] = file.number
    return {**told, "by": file.by} if file.role == "representative" else told


def _own(state: State, name: str, context: Context) -> File | Refusal:
    """The upload of this name, if the asker may go on with it."""
    identity = context.identity
    assert identity is not None
    file = state.files.get(name)
    if file is None or file.by != identity.person:
        return no_such("file")
    session = state.sessions.get(file.session)
    if session is None:
        return chat.over(state, file.session, context)
    if file.until is None:
        return wrong_state("shared", *ALLOWED["file"]["shared"])
    return chat.may_speak(state, session, identity, "file_transfer") or file


def expire(state: State, name: str, now: int) -> list[e.Event]:
    """The time of an upload is over."""
    return [_ended(state.files[name], "expired")]


def _ended(file: File, reason: str) -> e.FileEnded:
    return e.FileEnded(file.file, file.session, file.by, reason)


# --- evolve ----------------------------------------------------------------------------------------


def file_begun(state: State, event: e.FileBegun, t: int) -> None:
    """Apply ``FileBegun``."""
    keep(
        state,
        File(
            event.file,
            event.session,
            event.role,
            event.by,
            event.name,
            event.size,
            event.type,
            event.sha256,
            event.until,
        ),
    )


def file_shared(state: State, event: e.FileShared, t: int) -> None:
    """Apply ``FileShared``: its name is the journal's from now on."""
    move(FILE, "uploading", event.TYPE)
    session, file = state.sessions[event.session], state.files[event.file]
    move(SESSION, session.state, event.TYPE)
    session.messages = file.number = event.number
    file.sha256, file.until = event.sha256, None
    del state.uploads[event.file]
    state.deadlines.set("upload", event.file, None)
    state.release(event.name)


def file_ended(state: State, event: e.FileEnded, t: int) -> None:
    """Apply ``FileEnded``."""
    move(FILE, "uploading", event.TYPE, event.reason)
    _drop(state, state.files[event.file])


def keep(state: State, file: File) -> None:
    """There is this file."""
    state.files[file.file] = file
    state.session_files.setdefault(file.session, {})[file.file] = None
    state.file_bytes += file.size
    if file.until is not None:
        state.uploads[file.file] = None
        state.deadlines.set("upload", file.file, file.until)


def session_over(state: State, session: str, event_type: str) -> None:
    """What is still on its way when a session ends is given up. Called where sessions end."""
    for name in list(state.session_files.get(session, ())):
        if name in state.uploads:
            move(FILE, "uploading", event_type)
            _drop(state, state.files[name])


def erase(state: State, session: str) -> None:
    """All files of a session are to be gone for good: their names with this commit, their bytes right after it. Called
    where a case is erased, when the event of that is applied."""
    for name in list(state.session_files.get(session, ())):
        _drop(state, state.files[name])


def _drop(state: State, file: File) -> None:
    del state.files[file.file]
    state.file_bytes -= file.size
    here = state.session_files[file.session]
    del here[file.file]
    if not here:
        del state.session_files[file.session]
    if state.uploads.pop(file.file, True) is None:
        state.deadlines.set("upload", file.file, None)
    state.forget(file.name)
    state.unstored.append(file.file)
