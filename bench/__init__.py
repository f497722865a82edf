"""Benchmarks: the broker held against its peers and against the floor. Run ``python -m bench``."""
