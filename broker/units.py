"""Durations and sizes by name: times are int milliseconds, sizes int bytes."""

from typing import Final

MILLISECONDS: Final = 1
SECONDS: Final = 1000 * MILLISECONDS
MINUTES: Final = 60 * SECONDS
HOURS: Final = 60 * MINUTES
DAYS: Final = 24 * HOURS

KIB: Final = 1024
MIB: Final = 1024 * KIB
