"""What the broker says of itself: log lines and metrics. Neither holds anything personal."""
