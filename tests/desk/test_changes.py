"""What an event says of the difference between two settings."""

from __future__ import annotations

from broker.desk.changes import changes, shown

NAME = ("c_1", b"1" * 16)
OTHER = ("c_2", b"2" * 16)


def test_A1_only_what_differs_is_told_in_the_order_of_the_new_settings() -> None:
    before = {"kind": "ask", "places": 1, "take": "off"}
    after = {"take": "head", "kind": "ask", "places": 2}
    assert changes(before, after) == (("take", "off", "head"), ("places", 1, 2))
    assert shown(changes(before, after)) == [
        {"field": "take", "from": "off", "to": "head"},
        {"field": "places", "from": 1, "to": 2},
    ]


def test_A1_a_text_only_says_that_it_is_another() -> None:
    assert changes({"title": NAME}, {"title": NAME}) == ()
    assert changes({"title": NAME}, {"title": OTHER}) == (("title", None, None),)
    assert changes({}, {"title": NAME}) == (("title", None, None),)
    assert shown(changes({"title": NAME}, {"title": OTHER})) == [{"field": "title"}]


def test_A1_what_is_set_for_the_first_time_or_no_longer_has_one_side() -> None:
    assert shown(changes({}, {"weight": 2})) == [{"field": "weight", "to": 2}]
    assert shown(changes({"hours": [1]}, {"hours": None})) == [{"field": "hours", "from": [1]}]
    assert changes({}, {"hours": None}) == ()
