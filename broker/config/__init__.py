"""The broker's configuration: ``load`` makes a frozen ``Config`` or names every field that is wrong."""

from broker.config.load import ConfigError, load
from broker.config.settings import (
    Account,
    Config,
    Data,
    Heartbeat,
    Limits,
    Logs,
    Mail,
    Metrics,
    Pins,
    Server,
    SignIn,
    Timeouts,
)

__all__ = [
    "Account",
    "Config",
    "ConfigError",
    "Data",
    "Heartbeat",
    "Limits",
    "Logs",
    "Mail",
    "Metrics",
    "Pins",
    "Server",
    "SignIn",
    "Timeouts",
    "load",
]
