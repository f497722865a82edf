"""Settings of all tests, and the rules that keep them deterministic.

1. Nothing sleeps. Time is an argument; where a task must wait, trio's ``autojump_clock`` moves it, and that
   only with memory transports: with real sockets the clock may jump while the kernel still works.
2. Nothing is random but by a seed that is printed. ``make test`` uses the same seed every time; ``make deep``
   draws one, and ``--hypothesis-seed=N`` repeats a run.
3. Sockets bind 127.0.0.1 port 0; files lie under ``tmp_path``. Tests run in any order, and alone.
4. What waits for the outside (a process, a socket) waits for a condition with ``trio.fail_after``, never for a time.
5. Above 0.25 s a test is marked ``slow``, for minutes ``deep`` or ``soak``. Tests assert what happens, not how fast.
6. Fakes, not mocks: a stand-in has the type of what it stands for.
"""

import os
import random

import pytest
from hypothesis import HealthCheck, settings

DEEP = 100  # times the examples of a normal run

# one fault at a time, as one AssertionError: several would come as a group
settings.register_profile("ci", deadline=None, print_blob=True, report_multiple_bugs=False)
settings.register_profile(
    "deep",
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    max_examples=settings.get_profile("default").max_examples * DEEP,
    suppress_health_check=[HealthCheck.too_slow],
)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci")
settings.load_profile(PROFILE)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose hypothesis's seed where none was given, before its plugin looks for one."""
    if config.getoption("hypothesis_seed") is None:
        config.option.hypothesis_seed = random.SystemRandom().getrandbits(32) if PROFILE == "deep" else 0


def pytest_report_header(config: pytest.Config) -> str:
    """What repeats this run."""
    seed = config.getoption("hypothesis_seed")
    return f"hypothesis: profile {PROFILE}, repeat with HYPOTHESIS_PROFILE={PROFILE} --hypothesis-seed={seed}"
