"""A screen share, brought as far as a test wants it."""

from __future__ import annotations

from broker.desk import events as e
from broker.desk.state import Share
from broker.protocol import ops
from tests.support.builders import customer, manager, representative, session_id, share_id
from tests.support.scene import Scene, of, office

ANN, CARL, MIA = representative("ann"), customer("carl"), manager()
SESSION, SHARE = session_id("carl"), share_id("carl")
ALL = {"control": True, "reboot": True}
"""The functions that are off unless a portal says otherwise."""


def switch(scene: Scene, portal: str = "help", /, **functions: bool) -> list[e.Event]:
    """What a portal allows; screen shares with control and restarts, unless it is said otherwise."""
    return of(scene.ok(ops.PortalPut(portal, "ask", "queue", [portal], functions={**ALL, **functions}), MIA))


def talking(capacity: int = 1, **functions: bool) -> Scene:
    """Carl and ann in a session."""
    scene = office("ann", capacity=capacity)
    switch(scene, **functions)
    scene.assign("carl", "ann")
    return scene


def in_state(state: str, *, control: bool = False, scene: Scene | None = None) -> Scene:
    """Their share has come so far; control: it was asked for and agreed to from the first."""
    scene = scene or talking()
    if state == "none":
        return scene
    scene.ok(ops.ShareRequest(SESSION, control=control or None), ANN)
    if state == "requested":
        return scene
    scene.ok(ops.ShareAccept(SHARE), CARL)
    if state == "accepted":
        return scene
    scene.ok(ops.ShareConfirm(SHARE, control=control or state == "rebooting" or None), CARL)
    if state == "rebooting" and not control:
        scene.ok(ops.ShareAskControl(SHARE), ANN)
        scene.ok(ops.ShareControl(SHARE, True), CARL)
    if state == "active":
        scene.ok(ops.ShareStarted(SHARE), CARL)
    if state == "rebooting":
        scene.ok(ops.ShareReboot(SHARE), ANN)
    assert the(scene).state == state
    return scene


def the(scene: Scene) -> Share:
    """Their share as it is."""
    return scene.desk.state.shares[SHARE]


def told(scene: Scene) -> list[dict[str, object]]:
    """What the readers of their session were told of it."""
    return [data for kind, data in scene.told(f"session:{SESSION}") if kind == "share.changed"]


def steps(scene: Scene) -> list[tuple[object, object]]:
    """The same in short: states, and who brought them about."""
    return [(data["state"], data["by"]) for data in told(scene)]
