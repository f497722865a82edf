"""A desk with two branches of teams and everybody who may have to do with it; short names for what people do there."""

from __future__ import annotations

from collections.abc import Sequence

from broker.desk import commands as c
from broker.desk.grants import TEAM_RIGHTS
from broker.desk.identity import Identity, Role
from broker.protocol import ops
from broker.units import DAYS
from tests.support.builders import ACCOUNT, customer, manager, personal, representative
from tests.support.scene import Scene

MIA = manager("mia")
"""Account manager; may make API managers."""
TIM = manager("tim")
"""Manages blue and, beneath it, sky; has every right."""
TED = manager("ted")
"""Manages the same, and has no right."""
PIA = manager("pia")
"""API manager; may set portals up."""
ROBOT = Identity(ACCOUNT, "robot", Role.SERVICE)
"""A service with every scope."""
ANN, CY = representative("ann"), representative("cy")
"""Of blue and of sky."""
DI, ED = representative("di"), representative("ed")
"""Of red and of ruby."""


def house() -> Scene:
    """Blue serves help, sky beneath it side; red serves other, ruby beneath it far."""
    scene = Scene()
    for name in ("help", "side", "other", "far"):
        scene.portal(name, "ask", "queue")
    for name, parent, served in (("blue", None, "help"), ("red", None, "other")):
        team(scene, name, served, parent=parent)
    team(scene, "sky", "side", parent="blue")
    team(scene, "ruby", "far", parent="red")
    for name, where in (("ann", "blue"), ("cy", "sky"), ("di", "red"), ("ed", "ruby")):
        scene.staff(where, name, capacity=2)
    boss(scene)
    hire(scene, "tim", "team", teams=["blue"], rights=TEAM_RIGHTS)
    hire(scene, "ted", "team", teams=["blue"])
    hire(scene, "pia", "api", rights=["portals"])
    scene.ok(ops.ServicePut("robot", ["events", "audit", "classify", "why"]), MIA)
    return scene


def team(scene: Scene, name: str, *served: str, parent: str | None = None, who: Identity = MIA) -> None:
    """A team beneath another."""
    scene.ok(ops.TeamPut(name, served, parent=parent), who)


def boss(scene: Scene, name: str = "mia") -> None:
    """The first account manager."""
    scene.ok(ops.ManagerPut(name, "account", rights=["api_managers"]), manager(name))


def hire(
    scene: Scene,
    name: str,
    kind: str,
    *,
    teams: Sequence[str] | None = None,
    rights: Sequence[str] | None = None,
    who: Identity = MIA,
) -> None:
    """A manager."""
    scene.ok(ops.ManagerPut(name, kind, teams=teams, rights=rights), who)


def sign_in(scene: Scene, person: str, role: Role = Role.REPRESENTATIVE, days: int = 30) -> str:
    """Somebody signs in; the sign-in's name."""
    until = scene.now + days * DAYS
    return str(scene.ok(c.SignIn(person, role.value, "password", "192.0.2.0/24", until)).value["sign_in"])


def hashed(text: str, keep: str | None = None) -> c.Hashed:
    """What the hub adds to ``password.set``."""
    return c.Hashed(personal(text, f"c_{text}").ref, keep)


def made_key(name: str) -> c.MadeKey:
    """What the hub adds to ``key.create``."""
    return c.MadeKey(name, name.encode(), f"{name}.secret")


def carl(portal: str = "help") -> Identity:
    """A customer at a portal."""
    return customer(f"carl.{portal}", portal)
