"""Who is offered what: lines, pools, matching and pins, plain Python."""
