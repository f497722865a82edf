"""A desk file with one of each kind, for tests of what reads, compares, applies or serves one."""

from __future__ import annotations

FILE = """\
[[portal]]
portal = "help"
title = "Help"
kind = "ask"
mode = "queue"
subportals = ["orders", "returns"]
form = [{ field = "order", type = "text", label = "Order" }]

[[subportal]]
subportal = "orders"
weight = 2
overflow = [{ on = "wait", after_ms = 1000, to = "returns" }]

[[team]]
team = "first"
title = "First line"
subportals = ["orders"]
functions = { recording = true }

[[team]]
team = "night"
parent = "first"
subportals = ["orders"]

[[representative]]
representative = "ann"
name = "Ann Alder"
email = "ann@example.org"
team = "night"
capacity = 2
skills = [{ skill = "german", level = 4 }]

[[service]]
service = "crm"
scopes = ["audit"]

[[manager]]
manager = "boss"
kind = "account"
name = "Bo Ss"
email = "boss@example.org"
rights = ["api_managers"]

[[manager]]
manager = "robot"
kind = "api"
rights = ["portals"]

[[manager]]
manager = "tim"
kind = "team"
teams = ["first"]
rights = ["representatives"]
"""
