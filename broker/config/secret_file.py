"""A secret that stands in a file of its own, read at the start and never quoted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from broker.config.load import ConfigError
from broker.identity.secrecy import Secret

_MOST: Final = 255
_PRINTABLE: Final = re.compile(r"[!-~]*", re.ASCII)


def read(path: Path | None, setting: str, least: int = 1) -> Secret | None:
    """The secret on the first line, of ``least`` to 255 characters; None where there is no file to read. Raises
    ``ConfigError``, which names the setting."""
    if path is None:
        return None
    try:
        with path.open(encoding="ascii") as file:
            line = file.readline(_MOST + 45).rstrip("\r\n")
    except OSError as error:
        raise ConfigError([f"{setting}: can't be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        line = ""
    if not least <= len(line) <= _MOST or _PRINTABLE.fullmatch(line) is None:
        raise ConfigError([f"{setting}: expected {least} to {_MOST} printable ASCII characters on its first line"])
    return Secret(line)
