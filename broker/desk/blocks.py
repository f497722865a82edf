"""Blocks: a visitor, an address, or both, shut out of the account for a while, by a manager.

Theory of operation. A block has up to two targets: a visitor's id, and the keyed digest of the address that its request
came from. Each target is in at most one block, so that ending a block lets its targets in whatever others there are.
What the targets have open ends with the block's own event: nobody who is blocked ever has an open request. The hub asks
``Desk.knows`` at each sign-in and closes connections once the block is on disk; until it is, the gate (``rights``)
takes a blocked customer for nobody, so that nothing new is opened in between.
"""

from __future__ import annotations

from collections.abc import Iterator

from broker import ids, limits
from broker.codes import Code
from broker.desk import culprits, pseudonyms, rights, sessions, share_ends
from broker.desk import events as e
from broker.desk.outcome import Decision, Refusal, bad_args, no_such, wrong_state
from broker.desk.state import Block, Context, Request, State
from broker.protocol import ops

_BY = ("request", "session", "visitor")

# --- decide ----------------------------------------------------------------------------------------


def block(state: State, command: ops.VisitorBlock, context: Context) -> Decision | Refusal:
    """Shut somebody out. What is blocked already stays as it is."""
    given = [name for name in _BY if getattr(command, name) is not None]
    if len(given) != 1:
        return bad_args("args", f"exactly one of {', '.join(_BY)}")
    found = culprits.find(state, command)
    if found is None:
        return no_such(given[0])
    what = command.what or "visitor"
    if what != "visitor" and found.source is None:
        return wrong_state("no_address", "visitor.block", text="its address isn't known: block with what = visitor")
    visitor = None if what == "address" else found.visitor
    source = None if what == "visitor" else found.source
    known = [state.blocked[one] for one in (visitor, source) if one is not None and one in state.blocked]
    visitor = None if visitor in state.blocked else visitor
    source = None if source in state.blocked else source
    if visitor is None and source is None:
        before = state.blocks[known[0]]
        return Decision(value={"block": before.block, "until": before.until, "existing": True})
    if len(state.blocks) >= limits.MAX_BLOCKS:
        return Refusal(Code.QUOTA, f"at most {limits.MAX_BLOCKS} blocks: end one first")
    event = e.VisitorBlocked(
        block=f"b_{ids.token(context.entropy)}",
        visitor=visitor,
        source=source,
        network=None if source is None else found.network,
        subportal=found.subportal if isinstance(found, Request) else None,
        reason=command.reason,
        until=context.now + (command.life_ms or limits.BLOCK_LIFE),
        by=context.who,
    )
    shared = share_ends.ends(state, _shared(state, visitor, source), "blocked")
    ended = sessions.end_all(
        state, _open(state, visitor, source), context.now, session_reason="blocked", request_state="refused"
    )
    return Decision([event, *shared, *ended], {"block": event.block, "until": event.until, "existing": False})


def _open(state: State, visitor: str | None, source: str | None) -> Iterator[Request]:
    """Open requests of either. All are looked at, which a manager's rare command may cost."""
    for request in state.requests.values():
        if request.visitor == visitor or (source is not None and request.source == source):
            yield request


def _shared(state: State, visitor: str | None, source: str | None) -> Iterator[str]:
    """Screen shares of either, those of sessions that are over included."""
    for share in state.shares.values():
        known = state.visitors[share.visitor].source
        if share.visitor == visitor or (source is not None and known == source):
            yield share.share


def end(state: State, command: ops.BlockEnd, context: Context) -> Decision | Refusal:
    """Let them in again."""
    if command.block not in state.blocks:
        return no_such("block")
    return Decision([e.BlockEnded(command.block, "ended", context.who)], {"block": command.block})


def listed(state: State, command: ops.BlockList, context: Context) -> Decision | Refusal:
    """Who is shut out: an address as the network it is in."""
    assert context.identity is not None
    who = rights.actor(state, context.identity)
    assert who is not None, "the gate lets nobody else come here"
    return Decision(
        value={
            "blocks": [
                pseudonyms.of_value(shown(one), state.former.get)
                for one in state.blocks.values()
                if who.kind != "team_manager" or one.subportal in who.subportals
            ]
        }
    )


def shown(one: Block) -> dict[str, object]:
    """What managers see of it."""
    said: dict[str, object | None] = {
        "block": one.block,
        "what": "both" if len(one.targets) > 1 else "address" if one.visitor is None else "visitor",
        "visitor": one.visitor,
        "network": one.network,
        "reason": one.reason,
        "by": one.by,
        "since": one.since,
        "until": one.until,
    }
    return {name: value for name, value in said.items() if value is not None}


# --- due -------------------------------------------------------------------------------------------


def over(state: State, name: str, now: int) -> list[e.Event]:
    """A block's time is over."""
    return [e.BlockEnded(name, "expired", "broker")]


# --- evolve ----------------------------------------------------------------------------------------


def visitor_blocked(state: State, event: e.VisitorBlocked, t: int) -> None:
    """Apply ``VisitorBlocked``."""
    one = Block(
        block=event.block,
        visitor=event.visitor,
        source=event.source,
        network=event.network,
        subportal=event.subportal,
        reason=event.reason,
        by=event.by,
        since=t,
        until=event.until,
    )
    state.blocks[one.block] = one
    state.blocked.update(dict.fromkeys(one.targets, one.block))
    state.deadlines.set("block", one.block, one.until)


def block_ended(state: State, event: e.BlockEnded, t: int) -> None:
    """Apply ``BlockEnded``."""
    for target in state.blocks.pop(event.block).targets:
        del state.blocked[target]
    state.deadlines.set("block", event.block, None)
