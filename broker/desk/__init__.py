"""One account, whole: commands in, events out, plain Python."""
