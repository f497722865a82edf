"""What would have happened: a real desk driven by made-up or recorded customers on a virtual clock.

Nothing of the rules is repeated here: ``engine`` sends the desk the commands that people would send, and ``ledger``
reads the events that come back. ``erlang`` holds what theory says about the cases that theory covers.
"""
