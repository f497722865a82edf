"""What holds for a whole account: the modes of its portals; portals of several modes beside each other."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from broker.codes import Code
from broker.desk.portals import KINDS
from broker.desk.state import MODES
from broker.protocol import ops
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import customer, desk, manager, representative
from tests.support.scene import Scene

MIA = manager()


def test_A10_portals_of_all_modes_work_beside_each_other_in_one_account() -> None:
    scene = Scene()
    for mode, kinds in KINDS.items():
        scene.portal(mode, kinds[0], mode)
    scene.team("blue", *KINDS)
    scene.staff("blue", "ann", capacity=3)
    assert scene.assign("wanda", "ann", "web", pick="ann")
    assert scene.assign("quinn", "ann", "queue")
    pin = str(scene.ok(ops.PinCreate(), representative("ann")).secret["pin"])
    scene.ok(ops.PinRedeem(pin), customer("phil", "phone"))
    assert len(scene.desk.state.representatives["ann"].sessions) == len(MODES)


@pytest.mark.parametrize(
    "modes", [some for count in (1, 2, 3) for some in itertools.combinations(MODES, count)], ids="-".join
)
def test_B5_a_portal_has_a_mode_that_the_account_allows(modes: tuple[str, ...]) -> None:
    scene = Scene()
    scene.ok(ops.AccountPut(modes[::-1]), MIA)
    assert scene.desk.state.account_settings.modes == modes  # in the order in which they are always told
    for mode, kinds in KINDS.items():
        command = ops.PortalPut(mode, kinds[0], mode, [mode])
        if mode in modes:
            scene.ok(command, MIA)
        else:
            refusal = scene.refused(command, MIA, Code.BAD_ARGS)
            assert refusal.text == f"args.mode: expected one of {', '.join(modes)}, as the account allows"
    same_desk(reloaded(scene.desk), scene.desk)
    same_desk(replay(desk(), [stored(record) for record in scene.records]), scene.desk)


def test_B5_modes_are_refused_while_a_portal_has_another() -> None:
    scene = Scene()
    scene.portal("help", "ask", "queue")
    scene.portal("more", "ask", "web")
    refusal = scene.refused(ops.AccountPut(["queue", "phone"]), MIA)
    assert (refusal.detail or {})["portals"] == ["more"]
    scene.ok(ops.PortalDelete("more"), MIA)
    scene.ok(ops.AccountPut(["queue", "phone"]), MIA)
    assert scene.told("account")[-1] == (
        "account.changed",
        {
            "modes": ("phone", "queue"),
            "password_min": 8,
            "password_classes": 3,
            "by": "mia",
            "changes": [{"field": "modes", "from": ["web", "phone", "queue"], "to": ["phone", "queue"]}],
        },
    )
    account: Any = scene.ok(ops.AccountGet(), MIA).value["account"]
    assert account["modes"] == ["phone", "queue"]
    assert scene.ok(ops.AccountPut(["queue", "phone"]), MIA).value == {"changed": False}
    assert scene.ok(ops.AccountPut(), MIA).value == {"changed": True}
    assert scene.desk.state.account_settings.modes == MODES
