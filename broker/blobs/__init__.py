"""Where the bytes of sent files lie: beside the journal, behind a small interface, and never whole in memory."""
