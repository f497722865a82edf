"""Desk files: the ops they become, in the order a desk can take them, and how their mistakes are named."""

import re
from pathlib import Path

import pytest

from broker.config import ConfigError
from broker.config.desk import load_desk

GOOD = """
[[representative]]
representative = "ann"
name = "Ann Alder"
team = "first"
capacity = 2

[[team]]
team = "first"
title = "First line"
subportals = ["billing"]

[[portal]]
portal = "help"
title = "Help"
kind = "ask"
mode = "queue"
subportals = ["billing", "orders"]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "desk.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_desk(write(folder, text))
    return caught.value.problems


def test_a_file_becomes_the_manager_ops_that_make_it(tmp_path: Path) -> None:
    puts = load_desk(write(tmp_path, GOOD))
    assert [(put.op, put.where) for put in puts] == [
        ("portal.put", "portal[0]"),
        ("team.put", "team[0]"),
        ("representative.put", "representative[0]"),
    ]
    assert puts[0].args == {
        "portal": "help",
        "title": "Help",
        "kind": "ask",
        "mode": "queue",
        "subportals": ["billing", "orders"],
    }


def test_a_share_is_of_a_sub_portal_that_is_there(tmp_path: Path) -> None:
    puts = load_desk(write(tmp_path, GOOD + '[[subportal]]\nsubportal = "orders"\nweight = 2\n'))
    assert [put.op for put in puts] == ["portal.put", "subportal.put", "team.put", "representative.put"]
    (problem,) = problems(tmp_path, GOOD + '[[subportal]]\nsubportal = "order"\nweight = 2\n')
    assert problem.startswith("subportal[0].subportal: ")
    (problem,) = problems(tmp_path, GOOD + '[[subportal]]\nsubportal = "orders"\nweight = 0\n')
    assert problem == "subportal[0].weight: expected an int from 1 to 100"


def test_what_holds_for_the_whole_account_is_one_table_and_comes_first(tmp_path: Path) -> None:
    puts = load_desk(write(tmp_path, GOOD + '[account]\nmodes = ["queue"]\n'))
    assert [(put.op, put.where) for put in puts][:2] == [("account.put", "account"), ("portal.put", "portal[0]")]
    (problem,) = problems(tmp_path, GOOD + '[account]\nmodes = ["web"]\n')
    assert problem == "portal[0].mode: expected one of web, as the account allows"
    (problem,) = problems(tmp_path, GOOD + "[account]\nmodes = []\n")
    assert problem == "account.modes: expected a list of 1 to 3"
    (problem,) = problems(tmp_path, GOOD + '[[account]]\nmodes = ["web"]\n')
    assert problem == "account: expected one [account] table"


PEOPLE = """
[[manager]]
manager = "mia"
kind = "team"
name = "Mia Moss"
email = "mia@example.org"
teams = ["first"]
rights = ["representatives"]

[[service]]
service = "crm"
scopes = ["events"]

[[manager]]
manager = "boss"
kind = "account"
rights = ["api_managers"]
"""


def test_managers_and_services_come_last_and_are_checked_as_the_rest(tmp_path: Path) -> None:
    puts = load_desk(write(tmp_path, PEOPLE + GOOD))
    assert [put.where for put in puts] == [
        "portal[0]",
        "team[0]",
        "representative[0]",
        "service[0]",
        "manager[0]",
        "manager[1]",
    ]
    for old, new, expected in (
        ('teams = ["first"]', 'teams = ["frist"]', "manager[0].teams[0]: expected the name of a team"),
        ('kind = "team"', 'kind = "chief"', "manager[0].kind: expected one of account, team, api"),
        ('["api_managers"]', '["portals"]', "manager[1].rights[0]: expected one of api_managers"),
        ('"crm"', '"ann"', "service[0].service: expected a name that nobody of the account has"),
        ('"crm"', '"v_crm"', "service[0].service: expected a name"),
        ('scopes = ["events"]', 'scope = ["events"]', "service[0].scope: there is no such field; did you mean scopes?"),
    ):
        assert old in PEOPLE
        assert problems(tmp_path, PEOPLE.replace(old, new) + GOOD)[0].startswith(expected)


def test_a_representative_has_an_address_management_and_functions(tmp_path: Path) -> None:
    more = 'capacity = 2\nemail = "ann@example.org"\nmanagement = true\nfunctions = { recording = true }'
    (ann,) = [put for put in load_desk(write(tmp_path, GOOD.replace("capacity = 2", more))) if "email" in put.args]
    assert (ann.args["email"], ann.args["management"], ann.args["functions"]) == (
        "ann@example.org",
        True,
        {"recording": True},
    )


TREE = """
[[team]]
team = "night"
subportals = ["orders"]
parent = "first"
logins = 2

[[team]]
team = "weekend"
subportals = []
parent = "night"
functions = { recording = false }
"""


def test_a_team_comes_after_its_parent_wherever_the_file_has_it(tmp_path: Path) -> None:
    teams = [put.args["team"] for put in load_desk(write(tmp_path, TREE + GOOD)) if put.op == "team.put"]
    assert teams == ["first", "night", "weekend"]


def test_teams_beneath_themselves_and_functions_that_are_none_are_named(tmp_path: Path) -> None:
    circle = TREE.replace('parent = "first"', 'parent = "weekend"')
    assert problems(tmp_path, circle + GOOD)[0].startswith("team[0].parent: expected the name of a team")
    unknown = TREE.replace("recording", "recordings")
    assert problems(tmp_path, unknown + GOOD)[0].startswith("team[1].functions: expected a map of these")


def test_an_empty_file_is_an_empty_account(tmp_path: Path) -> None:
    assert load_desk(write(tmp_path, "")) == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('kind = "ask"', 'kind = "chat"', "portal[0].kind: expected "),
        ('mode = "queue"', "", "portal[0].mode: expected "),
        ('["billing", "orders"]', '["billing", "Orders"]', "portal[0].subportals[1]: expected "),
        ('["billing", "orders"]', "[]", "portal[0].subportals: expected "),
        ("capacity = 2", "capacity = 0", "representative[0].capacity: expected "),
        ("capacity = 2", "capacity = 2\ncolour = 1", "representative[0].colour: there is no such field"),
        ("capacity = 2", "capacty = 2", "representative[0].capacty: there is no such field; did you mean capacity?"),
        ("[[portal]]", "[[portals]]", "portals: there is no such table; did you mean portal?"),
        ("[[team]]", "[team]", "team: expected [[team]] tables"),
        (
            '["billing", "orders"]',
            '["billing", "billing"]',
            'portal[0].subportals[1]: expected a sub-portal that portal[0].subportals[0] isn\'t, got "billing"',
        ),
    ],
)
def test_a_mistake_is_named_by_table_and_field(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    assert problems(tmp_path, GOOD.replace(old, new, 1))[0].startswith(expected)


def test_a_name_given_twice_is_a_mistake(tmp_path: Path) -> None:
    again = '\n[[team]]\nteam = "first"\nsubportals = []\n'
    assert problems(tmp_path, GOOD + again) == ['team[1].team: expected a team that team[0].team isn\'t, got "first"']


SECOND = """
[[portal]]
portal = "pins"
kind = "pin"
mode = "phone"
subportals = ["calls"]
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('kind = "ask"', 'kind = "pin"', "portal[0].kind: expected one of ask, button in mode queue"),
        ('kind = "pin"', 'kind = "ask"', "portal[1].kind: expected one of pin, global_pin in mode phone"),
        ('["calls"]', '["calls", "orders"]', "portal[1].subportals[1]: expected a sub-portal that portal[0]"),
        ('["billing"]', '["billing", "nowhere"]', "team[0].subportals[1]: expected the name of a sub-portal"),
        (
            'team = "first"\ncapacity',
            'team = "second"\ncapacity',
            "representative[0].team: expected the name of a team",
        ),
        (
            'representative = "ann"',
            'representative = "v_ann"',
            "representative[0].representative: expected a name that",
        ),
    ],
)
def test_what_a_desk_would_refuse_is_named_by_table_and_field(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    good = GOOD + SECOND
    load_desk(write(tmp_path, good))
    assert good.count(old) == 1
    (problem,) = problems(tmp_path, good.replace(old, new))
    assert problem.startswith(expected)


def test_what_follows_from_another_mistake_is_not_told_beside_it(tmp_path: Path) -> None:
    """A refused portal leaves its team without sub-portals: only the portal is wrong. Of portals, all are told."""
    wrong = (GOOD + SECOND).replace('kind = "ask"', 'kind = "pick"').replace('kind = "pin"', 'kind = "button"')
    assert [problem.partition(":")[0] for problem in problems(tmp_path, wrong)] == ["portal[0].kind", "portal[1].kind"]


def test_more_than_an_account_may_have_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.limits.MAX_PORTALS", 1)
    assert problems(tmp_path, GOOD + SECOND) == ["portal[1]: an account has at most 1 portals"]


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: can't be read"):
        load_desk(tmp_path / "none.toml")
    assert problems(tmp_path, "[[portal]")[0].startswith("is not TOML")


@pytest.mark.parametrize("path", ["broker/demo/desk.toml", "broker/protocol/vectors/desk.toml"])
def test_the_desk_files_that_ship_are_right(path: str) -> None:
    assert load_desk(Path(__file__).parents[2] / path)


def test_the_desk_files_of_the_guide_are_right(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs/how-to/account.md").read_text(encoding="utf-8")
    found = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    firsts = [next(put.op for put in load_desk(write(tmp_path, text))) for text in found]
    assert firsts == ["portal.put", "team.put", "portal.put"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('day = "mon"', 'day = "lunchday"', "portal[0].hours.weekly[0].day: expected one of mon"),
        ('from = "09:00", to = "17:00"', 'from = "19:00", to = "17:00"', "portal[0].hours.weekly[0]"),
        ("boost_ms = 120000", "boost_ms = 0", "portal[0].classes[0].boost_ms: expected an int from 1"),
        ('class = "gold"', 'class = "normal"', "portal[0].classes[0].class: expected each name once"),
        ("after_ms = 180000", "after_ms = 60000", "subportal[0].relax[1].after_ms: expected more than the 60000"),
        ('to = "returns" },    # so', 'to = "nowhere" },  # so', "subportal[0].overflow[1].to: expected another"),
        ("length = 40", "after_ms = 40000", "subportal[0].overflow[1].after_ms: expected a number with on = wait"),
        ('skill = "orders", level = 5', 'skill = "german", level = 5', "representative[0].skills[1].skill: expected"),
    ],
)
def test_a_mistake_in_the_finer_settings_is_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    guide = (Path(__file__).parents[2] / "docs/how-to/account.md").read_text(encoding="utf-8")
    text = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)[2]
    assert old in text
    (problem,) = problems(tmp_path, text.replace(old, new, 1))
    assert problem.startswith(expected)
