"""Sockets, TLS and WebSocket behind one synchronous seam (``base``)."""
