"""The C compiler that the load programs of the benchmarks need; ``scripts/setup`` installs it."""

import shutil

import pytest

NEEDED = pytest.mark.skipif(shutil.which("cc") is None, reason="the load programs need a C compiler: scripts/setup")
