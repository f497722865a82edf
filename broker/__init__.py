"""Huntgroup: a self-hosted, real-time live-support broker."""

__version__ = "0.1.0.dev0"
