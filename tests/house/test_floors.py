"""Imports go down only, and the pure floors are pure; first that the check would notice."""

import pytest

from tests.house import tree
from tests.house.floors import CLIENTS, FLOORS, NEVER, SIDEWAYS, WINDOWS, violations

KNOWN = frozenset({"broker.desk.desk", "broker.runtime.hub", "broker.runtime.serve", "broker.identity.tokens"})


@pytest.mark.parametrize("path", tree.python(*tree.PRODUCT))
def test_a_module_keeps_to_its_floor(path: str) -> None:
    assert violations(tree.module(path), tree.read(path), tree.modules()) == []


@pytest.mark.parametrize(
    ("module", "source", "named"),
    [
        # up, sideways, and around the corner
        (
            "broker.desk.desk",
            "from broker.runtime import hub",
            "broker.desk (floor 2) imports broker.runtime (floor 4)",
        ),
        ("broker.desk.desk", "import broker.runtime.hub as h", "broker.desk (floor 2) imports broker.runtime"),
        ("broker.protocol.codec", "from broker.routing.model import Line", "don't know each other"),
        (
            "broker.journal.sqlite",
            "from broker.identity.tokens import Signer",
            "broker.journal (floor 3) imports broker.identity (floor 3)",
        ),
        ("broker.runtime.hub", "from broker.config import Config", "broker.runtime (floor 4) imports broker.config"),
        ("broker.runtime.hub", "from broker.runtime import serve", "imports broker.runtime.serve (floor 5)"),
        ("broker.runtime.hub", "from broker.observe.logs import Log", "imports go down only"),
        ("broker.config.load", "from broker.cli import main", "don't know each other"),
        (
            "broker.desk.desk",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from broker.runtime import hub",
            "broker.desk.desk:3: broker.desk (floor 2) imports broker.runtime (floor 4)",
        ),
        (
            "broker.desk.desk",
            "def f():\n    import broker.journal.base",
            "broker.desk (floor 2) imports broker.journal",
        ),
        ("broker.desk.desk", "from . import events", "write the whole name"),
        ("broker.desk.desk", "from .. import runtime", "write the whole name"),
        ("broker.desk.desk", "from tests.support import pair", "imports tests"),
        (
            "broker.runtime.hub",
            "import importlib\nimportlib.import_module('broker.cli')",
            "import_module hides an edge",
        ),
        ("broker.desk.desk", "from broker.somewhere import x", "broker.somewhere, which is on no floor"),
        ("broker.somewhere", "", "broker.somewhere is on no floor"),
        ("broker.ids", "from broker.protocol import codec", "broker.ids (floor 0) imports broker.protocol (floor 1)"),
        # clients
        (
            "clients.python.client",
            "from broker.identity.tokens import Signer",
            "a client knows only the protocol",
        ),
        ("clients.python.client", "import broker.desk.desk", "a client knows only the protocol"),
        ("broker.runtime.hub", "import clients.python.client", "imports clients (floor 5)"),
        # the world
        ("broker.desk.desk", "import time", "broker.desk (floor 2) imports time"),
        ("broker.routing.queue", "from random import shuffle", "imports random"),
        ("broker.units", "import os.path", "imports os.path"),
        ("broker.desk.desk", "from zoneinfo import ZoneInfo", "imports zoneinfo"),
        ("broker.desk.hours", "import time", "imports time"),
        ("broker.protocol.codec", "import trio", "imports trio"),
        ("broker.protocol.codec", "import logging", "imports logging"),
        ("broker.protocol.frames", "import msgpack", "belongs to broker.protocol.codec alone"),
        ("broker.protocol.codec", "import sortedcontainers", "belongs to broker.routing, broker.desk alone"),
        ("broker.desk.desk", "import numpy", "move this up"),
        ("broker.desk.desk", "async def f(): ...", "are synchronous"),
        ("broker.desk.desk", "async def f(x):\n    await x", "broker.desk.desk:2: waits"),
        ("broker.desk.desk", "print('x')", "calls print()"),
        ("broker.protocol.schema", "open('x')", "calls open()"),
    ],
)
def test_a_fault_would_be_named(module: str, source: str, named: str) -> None:
    found = violations(module, source, KNOWN)
    assert found
    assert all(sentence.startswith(f"{module}") for sentence in found)
    assert any(named in sentence for sentence in found)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("broker.desk.desk", "from broker import limits\nfrom broker.protocol.ops import OPS\nimport attrs"),
        ("broker.desk.desk", "import hashlib, heapq, re\nfrom sortedcontainers import SortedDict"),
        ("broker.desk.hours", "from zoneinfo import ZoneInfo"),
        ("broker.protocol.codec", "import msgpack"),
        ("broker.limits", "from broker.units import KIB"),
        ("broker.runtime.hub", "import trio, time\nfrom broker.transport.base import Link\nfrom broker import desk"),
        ("broker.runtime.serve", "from broker.config import Config\nfrom broker.runtime.hub import Hub"),
        ("broker.cli.serve", "from broker.runtime import serve\nfrom clients.python import terminal"),
        ("clients.python.client", "from broker import __version__\nfrom broker.protocol import codec\nimport trio"),
        ("broker.desk.desk", "class Offer:\n    def open(self): ...\n\nOffer().open()"),
    ],
)
def test_what_is_allowed_is_not_named(module: str, source: str) -> None:
    assert violations(module, source, KNOWN) == []


def test_the_lists_hold_only_what_is_there() -> None:
    assert {name for edge in SIDEWAYS for name in edge} <= FLOORS.keys()
    assert FLOORS.keys() >= CLIENTS
    assert {module for module, _ in WINDOWS} <= tree.modules()
    assert {library for _, library in WINDOWS} <= NEVER
    assert all(FLOORS[importer] == FLOORS[imported] for importer, imported in SIDEWAYS)
