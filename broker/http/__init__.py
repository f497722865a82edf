"""The few pages that the broker serves on the WebSocket's port; it knows nothing of the runtime."""
