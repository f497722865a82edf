"""Every module has its tests where its name says."""

from tests.house import tree
from tests.house.pairs import EXCEPTIONS, homes, unpaired


def test_every_module_has_its_tests() -> None:
    sources = {path: tree.read(path) for path in tree.python("broker", "clients")}
    tests = {path: tree.read(path) for path in tree.python("tests")}
    assert unpaired(sources, tests) == []


def test_exceptions_are_of_modules_that_exist() -> None:
    assert set(EXCEPTIONS) <= set(tree.python("broker", "clients"))


def test_names_follow_from_names() -> None:
    assert homes("broker/ids.py") == ("tests/test_ids.py",)
    assert homes("broker/desk/desk.py") == ("tests/desk/test_desk.py",)
    assert homes("broker/cli/__init__.py") == ("tests/cli/test_cli.py", "tests/test_cli.py")
    assert homes("clients/python/client.py") == ("tests/clients/python/test_client.py",)


SOURCE = "def f() -> None: ..."


def test_a_module_without_tests_is_named_with_what_to_create() -> None:
    assert unpaired({"broker/desk/desk.py": SOURCE}, {"tests/desk/test_other.py": ""}) == [
        "broker/desk/desk.py has no tests: create tests/desk/test_desk.py, or write"
        " '# covers: broker/desk/desk.py' into the suite that tests it"
    ]


def test_a_pair_or_a_suite_is_enough() -> None:
    sources = {"broker/desk/desk.py": SOURCE, "broker/desk/chat.py": SOURCE, "broker/desk/__init__.py": '"""Desk."""'}
    tests = {"tests/desk/test_desk.py": "", "tests/stateful/test_machine.py": "# covers: broker/desk/chat.py\n"}
    assert unpaired(sources, tests) == []


def test_a_suite_in_the_same_room_names_what_it_imports() -> None:
    test = "from broker.desk import desk"
    assert unpaired({"broker/desk/desk.py": SOURCE}, {"tests/desk/test_rules.py": test}) == []
    assert len(unpaired({"broker/desk/desk.py": SOURCE}, {"tests/runtime/test_hub.py": test})) == 1


def test_a_package_that_defines_something_wants_tests() -> None:
    assert len(unpaired({"broker/cli/__init__.py": SOURCE}, {})) == 1


def test_a_suite_that_covers_nothing_is_named() -> None:
    assert unpaired({}, {"tests/test_x.py": "# covers: broker/gone.py\n"}) == [
        "tests/test_x.py says it covers broker/gone.py, which isn't there: mend its '# covers:' line"
    ]
