"""The demo account: a desk file with portals of every kind and mode, served by ``huntgroup demo``."""
