"""A live broker for minutes: what it does over real sockets, held against what queueing theory says it must."""
