"""scripts/setup on machines that lack something: installed for root on Debian, named in one clear line otherwise."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.tree import ROOT

DEBIAN = Path("/etc/debian_version").exists()


class Machine:
    """A PATH with a few programs on it, most of them written for the test."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.calls = folder / "calls"
        for name in ("sh", "dirname", "env"):
            found = shutil.which(name)
            assert found
            (self.bin / name).symlink_to(found)

    def program(self, name: str, body: str) -> None:
        """Put a shell script on the PATH, which also notes that it was called."""
        path = self.bin / name
        path.write_text(f'#!{self.bin}/sh\necho "{name} $*" >> "{self.calls}"\n{body}\n')
        path.chmod(0o755)

    def setup(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run scripts/setup here."""
        environ = {"PATH": os.fspath(self.bin)}
        return subprocess.run(
            [self.bin / "sh", ROOT / "scripts/setup", *options], env=environ, capture_output=True, text=True
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Has make and what tests need; no Python yet."""
    made = Machine(tmp_path)
    made.program("make", "")
    made.program("turnserver", "")
    made.program("cc", "")
    made.program("id", "echo 1000")
    return made


def test_a_machine_that_has_everything_is_left_alone(machine: Machine) -> None:
    machine.program("python3", "exit 0")
    done = machine.setup("--system")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("python", "wanted"),
    [
        (None, "python3 python3-venv"),
        ("case $* in *version_info*) exit 1;; esac", "python3 python3-venv"),  # too old
        ("case $* in *ensurepip*) exit 1;; esac", "python3-venv"),  # Debian's, without its other half
    ],
)
def test_what_is_missing_is_named_in_one_line(machine: Machine, python: str | None, wanted: str) -> None:
    if python is not None:
        machine.program("python3", python)
    done = machine.setup("--system")
    assert done.returncode == 1
    assert done.stderr == f"setup: please install these system packages, then run this again: {wanted}\n"


def test_several_missing_packages_share_the_line(machine: Machine) -> None:
    (machine.bin / "make").unlink()
    machine.program("python3", "case $* in *ensurepip*) exit 1;; esac")
    assert machine.setup("--system").stderr.endswith(": make python3-venv\n")


def test_what_only_tests_need_is_named_and_keeps_nobody_from_the_rest(machine: Machine) -> None:
    machine.program("python3", "exit 0")
    (machine.bin / "turnserver").unlink()
    done = machine.setup("--system")
    assert (done.returncode, done.stderr) == (0, "setup: some tests need these system packages: coturn\n")
    (machine.bin / "cc").unlink()
    done = machine.setup("--system")
    assert (done.returncode, done.stderr) == (0, "setup: some tests need these system packages: coturn gcc libc6-dev\n")
    (machine.bin / "make").unlink()
    done = machine.setup("--system")
    assert done.returncode == 1
    assert done.stderr.endswith("run this again: make coturn gcc libc6-dev\n")


@pytest.mark.skipif(not DEBIAN, reason="only Debian has apt-get to call")
def test_root_on_debian_gets_them_installed(machine: Machine) -> None:
    for one in ("make", "turnserver", "cc"):
        (machine.bin / one).unlink()
    machine.program("id", "echo 0")
    machine.program("python3", "exit 0")
    machine.program("apt-get", "")
    assert machine.setup("--system").returncode == 0
    calls = machine.calls.read_text().splitlines()
    assert "apt-get update -qq" in calls
    assert "apt-get install -y -qq --no-install-recommends make coturn gcc libc6-dev" in calls


def test_a_python_that_is_still_too_old_is_named(machine: Machine) -> None:
    machine.program("id", "echo 0")
    machine.program("apt-get", "")
    done = machine.setup("--system")
    assert done.returncode == 1
    assert "Python 3.11" in done.stderr or "please install these system packages" in done.stderr
