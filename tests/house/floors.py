"""The floors: who may import whom. ``violations`` reads one module's source; nothing is imported to find out.

Imports go down only. Rooms of one floor don't know each other, but for the edges listed here with their reason.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from typing import Final

from tests.house.tree import imports

FLOORS: Final = {
    # bedrock
    "broker": 0,  # the version, and nothing else
    "broker.ids": 0,
    "broker.codes": 0,
    "broker.limits": 0,
    "broker.units": 0,
    "broker.content": 0,
    "broker.addresses": 0,
    # ground
    "broker.protocol": 1,
    "broker.routing": 1,
    # desk
    "broker.desk": 2,
    # adapters
    "broker.transport": 3,
    "broker.journal": 3,
    "broker.blobs": 3,
    "broker.identity": 3,
    "broker.views": 3,
    # runtime
    "broker.runtime": 4,
    # edges
    "broker.runtime.serve": 5,  # puts the configuration and all the rooms together; nothing below may know it
    "broker.runtime.serve_parts": 5,  # its other half
    "broker.cli": 5,
    "broker.config": 5,
    "broker.demo": 5,
    "broker.http": 5,
    "broker.observe": 5,
    "broker.simulation": 5,
    "broker.__main__": 5,
    "bench": 5,
    "scripts": 5,
    # clients are outside of the house: see CLIENTS
    "clients": 5,
}
"""The longest name that fits decides."""

SIDEWAYS: Final = {
    ("broker.__main__", "broker.cli"): "is it",
    ("broker.cli", "broker.config"): "reads the configuration",
    ("broker.cli", "broker.runtime.serve"): "starts the broker",
    ("broker.cli", "broker.simulation"): "tries a configuration on a made-up or a recorded day",
    ("broker.cli", "clients"): "the console, the demo's check and the conformance runner are clients",
    ("broker.runtime.serve", "broker.config"): "is told what to serve",
    ("broker.runtime.serve", "broker.runtime.serve_parts"): "its other half",
    ("broker.runtime.serve_parts", "broker.config"): "is told what to make",
    ("broker.runtime.serve", "broker.http"): "hands it the pages' connections",
    ("broker.runtime.serve", "broker.observe"): "hands the logs and metrics down",
    ("broker.http", "broker.observe"): "serves /metrics",
    ("bench", "broker.config"): "a benchmark configures the broker it measures",
    ("bench", "broker.http"): "the same",
    ("bench", "broker.observe"): "the same",
    ("bench", "broker.runtime.serve"): "the same",
    ("bench", "clients"): "a benchmark may speak through the client",
    ("scripts", "broker.cli"): "renders its reference page",
    ("scripts", "broker.config"): "the same",
}
"""Edges between rooms of one floor."""

CLIENTS: Final = frozenset(
    {
        "broker",
        "broker.ids",
        "broker.codes",
        "broker.limits",
        "broker.units",
        "broker.content",
        "broker.addresses",
        "broker.protocol",
    }
)
"""What a client may know of the broker: what it would have to be told in any language."""

PURE: Final = 2
"""Up to this floor everything is plain synchronous Python: data in, data out."""

_NEVER: Final = """
asyncio concurrent multiprocessing threading _thread queue selectors select signal subprocess
socket socketserver ssl http urllib ftplib smtplib xmlrpc
time zoneinfo sched random secrets uuid os posix pathlib shutil tempfile glob fcntl mmap io
logging warnings sqlite3 dbm shelve pickle ctypes
"""
NEVER: Final = frozenset(_NEVER.split())
"""Modules of the standard library that look at the world, wait for it, or change it."""

WINDOWS: Final = {
    ("broker.desk.hours", "zoneinfo"): (
        "business hours are data in a time zone; only deciding reads it, replay never does"
    ),
}
"""Of those, what a single module may use, and why."""

LIBRARIES: Final = {
    "attr": "broker",
    "attrs": "broker",
    "msgpack": "broker.protocol.codec",
    "sortedcontainers": ("broker.routing", "broker.desk"),
}
"""Libraries on the pure floors, and where they may be used."""

CALLS: Final = frozenset({"open", "print", "input", "eval", "exec", "compile", "__import__", "breakpoint"})
"""Built-in functions that no pure floor calls."""


def room(module: str) -> str:
    """The entry of FLOORS that a module belongs to; empty for what isn't ours."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    found = next((name for name in names if name in FLOORS), "")
    # `broker` is the package's own file alone: a new room must be given a floor, not inherit one.
    return "" if found == "broker" and module != "broker" else found


def violations(module: str, source: str, known: frozenset[str]) -> list[str]:
    """What this source does that its floor doesn't allow: one sentence each, ending with what to do.

    ``known``: the names of our modules, to tell ``from package import module`` from other names.
    """
    own = room(module)
    if not own:
        return [f"{module} is on no floor: give it one in tests/house/floors.py, and say why in an ADR"]
    tree = ast.parse(source)
    found = []
    for line, target in imports(tree, known | FLOORS.keys()):
        wrong = _edge(module, own, target)
        if wrong:
            found.append(f"{module}:{line}: {wrong}")
    if FLOORS[own] <= PURE:
        found += [f"{module}:{line}: {wrong}" for line, wrong in _impurities(tree)]
    found += [
        f"{module}:{node.lineno}: import_module hides an edge: write an import statement"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "import_module"
    ]
    return found


def _edge(module: str, own: str, target: str) -> str | None:
    """What is wrong with importing ``target``, or None."""
    if target.startswith("."):
        return f"imports {target}: write the whole name"
    top = target.split(".")[0]
    if top == "tests":
        return "imports tests: the product doesn't know them; move the helper into the product"
    if top not in ("broker", "clients", "bench", "scripts"):
        return _foreign(module, own, target)
    other = room(target)
    if not other:
        return f"imports {target}, which is on no floor: give it one in tests/house/floors.py"
    if other == own:
        return None
    edge = f"{own} (floor {FLOORS[own]}) imports {other} (floor {FLOORS[other]})"
    if own == "clients":
        if other in CLIENTS:
            return None
        return f"{edge}: a client knows only the protocol; put what it needs there, or have it handed in"
    if FLOORS[other] < FLOORS[own] or FLOORS[own] == FLOORS[other] == 0 or (own, other) in SIDEWAYS:
        return None
    if FLOORS[other] == FLOORS[own]:
        return f"{edge}: rooms of one floor don't know each other; hand it in from above, or move the common part down"
    return f"{edge}: imports go down only; hand it in from above, or move the common part down"


def _foreign(module: str, own: str, target: str) -> str | None:
    """The same for modules that aren't ours."""
    top = target.split(".")[0]
    if FLOORS[own] > PURE:
        return None
    where = f"{own} (floor {FLOORS[own]}) imports {target}"
    if top in sys.stdlib_module_names:
        if top not in NEVER or (module, top) in WINDOWS:
            return None
        return f"{where}: floors 0 to {PURE} don't touch the world; take it as an argument"
    allowed = LIBRARIES.get(top)
    if allowed is None:
        return f"{where}: floors 0 to {PURE} use {', '.join(sorted(LIBRARIES))} alone; move this up to an adapter"
    places = (allowed,) if isinstance(allowed, str) else allowed
    if any(module == place or module.startswith(f"{place}.") for place in places):
        return None
    return f"{where}: that library belongs to {', '.join(places)} alone; call what is there"


def _impurities(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What no pure floor does, beside importing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith | ast.Await):
            yield node.lineno, f"waits: floors 0 to {PURE} are synchronous; return what is to be done instead"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield node.lineno, f"calls {node.func.id}(): floors 0 to {PURE} take data and return data"
