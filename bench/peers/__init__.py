"""What is measured: the broker, its peers, and the floor in C."""
