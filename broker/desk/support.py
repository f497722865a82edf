"""Support requests: a question that a customer leaves instead of waiting, or because nobody is there (C12)."""

from __future__ import annotations

from broker import ids, limits
from broker.codes import Code
from broker.content import Personal, Ref
from broker.desk import casebook, offers, own_requests, waits
from broker.desk.outcome import Decision, Refusal, bad_args, wrong_state
from broker.desk.state import Context, State
from broker.desk.transitions import ALLOWED
from broker.protocol import ops


def ref_of(personal: Personal | None) -> Ref | None:
    """The reference that stands for a personal field."""
    return None if personal is None else personal.ref


def refuse(state: State, command: ops.RequestCreate) -> Refusal | None:
    """A question that is left for later: somebody must be able to answer it."""
    for name in ("email", "text"):
        if getattr(command, name) is None:
            return bad_args(f"args.{name}", "a value: a support request is answered by e-mail")
    return None if casebook.has_room(state) else _too_many()


def _too_many() -> Refusal:
    """Another support request has no room."""
    most = limits.MAX_OPEN_CASES
    text = f"{most} support requests aren't resolved, which is as many as may be"
    return Refusal(Code.QUEUE_FULL, text, {"max_open": most}, limits.ROUND_PAUSE)


def convert(state: State, command: ops.RequestConvert, context: Context) -> Decision | Refusal:
    """Stop waiting, and leave a question that is answered by e-mail (C12)."""
    request = own_requests.find(state, command.request, context)
    if isinstance(request, Refusal):
        return request
    if request.state == "assigned":
        return wrong_state("assigned", *ALLOWED["request"]["assigned"])
    case = state.cases[ids.case_of(request.request)]
    for name in ("email", "text"):
        if getattr(command, name) is None and getattr(case, name) is None:
            return bad_args(f"args.{name}", "a value: a support request is answered by e-mail")
    if not casebook.has_room(state):
        return _too_many()
    left = map(ref_of, (command.text, command.name, command.email))
    happened = [*offers.revoke(state, request), *waits.converted(state, request, *left)]
    return Decision(happened, {"request": request.request, "case": case.case})
