"""Login limits: how many of a team may be signed in at once (H12), and who takes whose place (D7).

A team's limit counts its members and those of every team beneath it; a sub-team's own limit lies within. It is asked
when somebody signs in, and only then: a manager who lowers it, or moves somebody, signs nobody out. Who was taken over
keeps its sessions and shares and stays where it is a guest, gets nothing new and counts no longer; once all that is
over, with the work after it, it is offline.
"""

from __future__ import annotations

from itertools import islice

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk import offers, overflow, teams
from broker.desk.outcome import Refusal
from broker.desk.state import Representative, State

# --- decide ----------------------------------------------------------------------------------------


def seek(state: State, person: Representative, takeover: str | None) -> list[e.Event] | Refusal:
    """What must happen before this representative may count as signed in. ``takeover``: whose place it takes, if there
    is none left; with a free one, nobody's."""
    full = next((name for name in teams.above(state, person.team) if _is_full(state, name)), None)
    if full is None:
        return []
    # whoever leaves the innermost full team leaves all that are above it
    within = teams.below(state, full)
    other = state.representatives.get(takeover or "")
    if other is not None and other.seated and other.team in within:
        taken = e.TakenOver(other.representative, other.team, _left_with(other), person.representative)
        return [taken, *offers.withdraw_all(state, other)]
    there = (name for team in sorted(within) for name in sorted(state.teams[team].members))
    seated = (name for name in there if state.representatives[name].seated)
    detail: dict[str, object] = {
        "team": full,
        "logins": state.teams[full].logins,
        "signed_in": list(islice(seated, limits.LISTED_SEATS)),
    }
    return Refusal(Code.QUOTA, f"team {full} has no login left: presence.set with takeover takes one over", detail)


def count(state: State, team: str) -> int:
    """How many count as signed in, in this team and beneath it."""
    return sum(state.teams[name].signed_in for name in teams.below(state, team))


def _is_full(state: State, team: str) -> bool:
    logins = state.teams[team].logins
    return logins is not None and count(state, team) >= logins


def _left_with(person: Representative) -> str:
    return "away" if person.connected else "reconnecting"


# --- due -------------------------------------------------------------------------------------------


def vacate(state: State, name: str, now: int) -> list[e.Event]:
    """Who was taken over has nothing open any more."""
    return [e.PresenceChanged(name, state.representatives[name].team, "offline", "broker", "taken_over")]


# --- evolve ----------------------------------------------------------------------------------------


def taken_over(state: State, event: e.TakenOver, t: int) -> None:
    """Apply ``TakenOver``: it is away, whether it is there or not, and counts no longer."""
    person = state.representatives[event.representative]
    team = state.teams[person.team]
    team.signed_in -= 1
    person.chosen, person.taken_over = "away", True
    state.router.set_available(person.representative, t, available=False, rested=False)
    if not team.signed_in:
        overflow.watch_staff(state, team.subportals, t)
    done(state, person, t)


def done(state: State, person: Representative, t: int) -> None:
    """Something of this representative's is over: the last of one who was taken over?"""
    if person.taken_over and not (person.sessions or person.wrap_ups or person.shares or person.guest):
        state.deadlines.set("vacate", person.representative, t)


def stand(state: State, person: Representative, *, seated: bool) -> None:
    """It counts, or doesn't; what was taken over is over."""
    state.teams[person.team].signed_in += seated - person.seated
    person.taken_over = False
    state.deadlines.set("vacate", person.representative, None)
