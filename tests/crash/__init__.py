"""Kills the broker in mid-flight and holds its journal against what its clients were told."""
