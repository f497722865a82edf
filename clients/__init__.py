"""Clients of the broker's protocol."""
