"""Says which of the named files are no tidy texts: blanks at line ends, no newline at the end, or too large."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 512 * 1024  # what people review; larger things are data and belong elsewhere


def untidy(paths: Iterable[Path]) -> list[str]:
    """A sentence for each file that isn't as it should be."""
    found = []
    for path in paths:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            found.append(f"{path} is larger than {MAX_BYTES // 1024} KiB: don't commit it")
        elif data and (not data.endswith(b"\n") or data.endswith(b"\n\n")):
            found.append(f"{path} doesn't end with one newline: mend its end")
        elif any(line.rstrip(b"\r") != line.rstrip() for line in data.split(b"\n")):
            found.append(f"{path} has blanks at the end of a line: take them away")
    return found


if __name__ == "__main__":
    problems = untidy(map(Path, sys.argv[1:]))
    print("\n".join(problems))
    sys.exit(1 if problems else 0)
