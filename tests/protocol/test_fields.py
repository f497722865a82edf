from typing import Any

import pytest

from broker.content import Personal
from broker.protocol.fields import Check, Wrong, compile_field, compile_map, named_map
from tests.protocol.samples import bad, bad_maps, edges, good, good_map

FIELDS: list[dict[str, Any]] = [
    {"type": "id"},
    {"type": "slug"},
    {"type": "email"},
    {"type": "str"},
    {"type": "str", "min": 1, "max": 5},
    {"type": "str", "max": 200, "personal": True},
    {"type": "int"},
    {"type": "int", "min": 0},
    {"type": "int", "min": -3, "max": 3},
    {"type": "bool"},
    {"type": "time"},
    {"type": "bin"},
    {"type": "bin", "max": 16},
    {"type": "enum", "values": ["a", "b"]},
    {"type": "enum", "values": ["a", "b"], "fallback": "b"},
    {"type": "list", "of": {"type": "slug"}},
    {"type": "list", "min": 1, "max": 1, "of": {"type": "int"}},
    {"type": "list", "min": 2, "max": 3, "of": {"type": "list", "max": 2, "of": {"type": "bool"}}},
    {"type": "map"},
    {"type": "map", "fields": {"a": {"type": "int"}, "b": {"type": "str", "optional": True}}},
    {"type": "map", "fields": "server"},
    {"type": "list", "max": 9, "of": {"type": "map", "fields": {"name": {"type": "str", "personal": True}}}},
    {"type": "doc"},
]
NAMED = [pytest.param(spec, id=str(spec)[:60]) for spec in FIELDS]


def unnoticed(spec: dict[str, Any], check: Check) -> list[Any]:
    """Bad values that a check lets through, or refuses elsewhere than where they are wrong."""
    through: list[Any] = []
    for path, value in bad(spec, erasable=True):
        try:
            check(value)
        except Wrong as wrong:
            if wrong.path == path:
                continue
        through.append((path, value))
    return through


@pytest.mark.parametrize("spec", NAMED)
def test_what_fits_is_returned(spec: dict[str, Any]) -> None:
    check = compile_field(spec)
    assert check(good(spec)) == good(spec)


@pytest.mark.parametrize("spec", NAMED)
def test_the_largest_and_the_smallest_fit(spec: dict[str, Any]) -> None:
    check = compile_field(spec)
    for value in edges(spec):
        check(value)


@pytest.mark.parametrize("spec", NAMED)
def test_what_does_not_fit_is_refused_by_its_path(spec: dict[str, Any]) -> None:
    assert unnoticed(spec, compile_field(spec)) == []


@pytest.mark.parametrize("spec", [spec for spec in NAMED if spec.values[0] != {"type": "doc"}])
def test_a_check_that_checks_nothing_is_noticed(spec: dict[str, Any]) -> None:
    assert unnoticed(spec, lambda value: value) != [] or spec == {"type": "doc"}


def test_a_looser_bound_is_noticed() -> None:
    assert unnoticed({"type": "str", "max": 200}, compile_field({"type": "str", "max": 201})) != []
    assert unnoticed({"type": "int", "max": 200}, compile_field({"type": "int", "max": 201})) != []
    assert unnoticed({"type": "int", "min": 1}, compile_field({"type": "int", "min": 0})) != []


def test_a_text_of_lone_surrogates_is_measured_too() -> None:
    check = compile_field({"type": "str", "max": 4})
    assert check("\ud800") == "\ud800"
    with pytest.raises(Wrong, match="0 to 4 bytes"):
        check("\ud800\ud800")


def test_an_enums_unknown_value_reads_as_its_fallback() -> None:
    assert compile_field({"type": "enum", "values": ["a", "b"], "fallback": "b"})("c") == "b"


def test_a_personal_text_of_an_argument_is_wrapped() -> None:
    check = compile_field({"type": "str", "max": 9, "personal": True}, wrap=True)
    assert check("Ann") == Personal("Ann")
    with pytest.raises(Wrong):
        check({"erased": True})


def test_a_personal_text_that_was_erased_can_be_read() -> None:
    check = compile_field({"type": "str", "max": 9, "personal": True})
    assert check({"erased": True}) == {"erased": True}
    assert check("Ann") == "Ann"


def test_a_text_that_is_not_personal_cannot_be_erased() -> None:
    with pytest.raises(Wrong):
        compile_field({"type": "str"})({"erased": True})


def test_a_map_keeps_what_it_knows() -> None:
    check = compile_map({"a": {"type": "int"}, "b": {"type": "int", "optional": True}})
    assert check({"a": 1, "b": None, "c": 3}) == {"a": 1}
    assert check({"a": 1, "b": 2}) == {"a": 1, "b": 2}


def test_a_map_without_fields_keeps_everything() -> None:
    assert compile_field({"type": "map"})({"any": 1}) == {"any": 1}


def test_a_required_doc_may_be_nil_but_not_missing() -> None:
    check = compile_map({"a": {"type": "doc"}})
    assert check({"a": None}) == {"a": None}
    with pytest.raises(Wrong, match="required"):
        check({})


@pytest.mark.parametrize("name", ["auth", "client", "identity", "limits", "server"])
def test_the_named_maps_of_frames_are_checked(name: str) -> None:
    fields = named_map(name)
    check = compile_map(fields)
    assert check(good_map(fields)) == good_map(fields)
    for path, value in bad_maps(fields):
        with pytest.raises(Wrong) as caught:
            check(value)
        assert caught.value.path == path


LONG = "x" * 16385
TOO_LONG: list[tuple[object, str, str]] = [
    ({"a": LONG}, ".a", "a string of at most 16384 bytes"),
    ({"a": "\U0001f600" * 4097}, ".a", "a string of at most 16384 bytes"),
    ({"a": [1, {"b": LONG}]}, ".a[1].b", "a string of at most 16384 bytes"),
    ({LONG: 1}, "", "keys of at most 16384 bytes"),
    ({"a": {"\u00fc" * 8193: 1}}, ".a", "keys of at most 16384 bytes"),
    ({"k" * 16384: LONG}, "." + "k" * 64, "a string of at most 16384 bytes"),
]


@pytest.mark.parametrize("personal", [True, False])
@pytest.mark.parametrize(("value", "path", "expected"), TOO_LONG)
def test_a_string_or_key_of_a_document_is_bounded_where_it_is(
    value: object, path: str, expected: str, *, personal: bool
) -> None:
    with pytest.raises(Wrong) as caught:
        compile_field({"type": "map", "personal": personal}, wrap=True)(value)
    assert (caught.value.path, caught.value.expected, caught.value.long) == (path, expected, True)
    assert compile_field({"type": "map", "personal": personal})(value) == value  # of the broker it may be that long


def test_what_just_fits_a_document_is_kept() -> None:
    value = {"x" * 16384: ["\U0001f600" * 4096, 5, None], "\u00fc" * 8192: {"a": True}}
    assert compile_field({"type": "map"}, wrap=True)(value) == value


def test_a_bin_of_a_document_is_bounded_too_or_not_allowed() -> None:
    check = compile_field({"type": "map"}, wrap=True)
    assert check({"a": bytes(65536)}) == {"a": bytes(65536)}
    with pytest.raises(Wrong) as caught:
        check({"a": bytes(65537)})
    assert (caught.value.path, caught.value.long) == (".a", True)
    with pytest.raises(Wrong, match="no bin") as caught:
        compile_field({"type": "map", "personal": True}, wrap=True)({"a": [b""]})
    assert (caught.value.path, caught.value.long) == (".a[0]", False)


@pytest.mark.parametrize(
    ("spec", "value", "long"),
    [
        ({"type": "str", "max": 3}, "abcd", True),
        ({"type": "str", "max": 3}, "\u00fc\u00fc", True),
        ({"type": "str", "min": 1}, "", False),
        ({"type": "str"}, 5, False),
        ({"type": "id"}, "x" * 65, True),
        ({"type": "bin", "max": 3}, b"abcd", True),
        ({"type": "bin", "min": 1}, b"", False),
        ({"type": "bin", "max": 3}, "abcd", False),
        ({"type": "list", "of": {"type": "str", "max": 3}}, ["a", "abcd"], True),
        ({"type": "map", "fields": {"a": {"type": "str", "max": 3}}}, {"a": "abcd"}, True),
        ({"type": "map", "fields": {"a": {"type": "str", "max": 3}}}, {"a": 5}, False),
    ],
)
def test_what_is_wrong_says_whether_it_is_too_long(spec: dict[str, Any], value: object, *, long: bool) -> None:
    with pytest.raises(Wrong) as caught:
        compile_field(spec)(value)
    assert caught.value.long is long
