"""Wire protocol v1, sans-IO: bytes to frames, arguments to operations, and the order they may come in."""
