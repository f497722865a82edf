"""Compiles the C programs of this folder on demand, into ``build/bench`` of the working tree.

A changed source (or header, or compiler flag) makes a new file name, so nothing stale is ever run.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
CACHE: Final = Path(os.environ.get("HUNTGROUP_BENCH_CACHE") or HERE.parent.parent / "build" / "bench")
FLAGS: Final = ("-O2", "-Wall", "-Wextra", "-Wno-unused-function")
NO_COMPILER: Final = (
    "The load programs are C: they need a compiler named `cc` on PATH (Debian: apt-get install gcc libc6-dev; "
    "Fedora: dnf install gcc). Everything else of Huntgroup runs without one."
)


class NotInstalled(Exception):
    """Something that a benchmark needs is missing; the text says what and how to get it."""


def compiler() -> str:
    """The C compiler's path, or ``NotInstalled``."""
    found = shutil.which("cc")
    if found is None:
        raise NotInstalled(NO_COMPILER)
    return found


def program(name: str) -> Path:
    """The compiled ``name.c``, made now if it isn't there."""
    cc = compiler()
    source = HERE / f"{name}.c"
    headers = b"".join(header.read_bytes() for header in sorted(HERE.glob("*.h")))
    marks = hashlib.sha256(" ".join(FLAGS).encode() + source.read_bytes() + headers)
    target = CACHE / f"{name}-{marks.hexdigest()[:12]}"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        draft = target.with_suffix(f".{os.getpid()}")
        done = subprocess.run([cc, *FLAGS, "-o", draft, source, "-lm"], capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise NotInstalled(f"{source.name} doesn't compile here:\n{done.stderr[-2000:]}")
        draft.replace(target)
    return target
