"""The hub and what belongs to it: where trio lives, and where the pure parts meet sockets and disks."""
