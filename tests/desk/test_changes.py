"""What a put changed, field by field; texts and large values only by name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker import limits
from broker.desk.changes import changes, shown

values = st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3) | st.lists(st.integers(0, 3), max_size=2)
forms = st.dictionaries(st.sampled_from("abcd"), values)


@given(before=forms, after=forms)
def test_A1_what_was_there_and_the_difference_make_what_is_there(
    before: dict[str, object], after: dict[str, object]
) -> None:
    found = changes(before, after)
    made = {**before, **{field: to for field, _, to in found}}
    assert {field: value for field, value in made.items() if value is not None} == {
        field: value for field, value in after.items() if value is not None
    }
    assert all(before.get(field) == was for field, was, _ in found)
    assert changes(after, after) == ()


def test_A1_of_a_text_only_that_it_is_another_is_told() -> None:
    one, other = ("c_1", b"d" * 16), ("c_2", b"e" * 16)
    assert changes({"title": one}, {"title": other}) == (("title", None, None),)
    assert changes({"title": one}, {"title": one}) == ()
    assert changes({"title": None}, {"title": other}) == changes({"title": one}, {}) == (("title", None, None),)


def test_A1_a_large_value_is_told_by_its_name() -> None:
    most = ["x" * (limits.CHANGE_BYTES - 4)]  # 1 byte of list, 3 of str
    assert changes({}, {"a": most}) == (("a", None, most),)
    assert changes({}, {"a": [*most, 1]}) == (("a", None, None),)
    assert changes({"a": {"b": most}}, {"a": 1}) == (("a", None, None),)


def test_A1_what_is_missing_on_one_side_is_left_out_on_the_wire() -> None:
    found = changes({"a": 1, "b": 2}, {"b": 3, "c": 4})
    assert shown(found) == [
        {"field": "a", "from": 1},
        {"field": "b", "from": 2, "to": 3},
        {"field": "c", "to": 4},
    ]
