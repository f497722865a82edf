"""Codes: their ranges tell a client that doesn't know one what to do."""

import pytest

from broker.codes import MEANING, Close, Code


@pytest.mark.parametrize("code", Code)
def test_a_fail_code_lies_in_a_range_that_says_what_to_do(code: Code) -> None:
    assert code // 1000 in (2, 3, 5)
    assert code.repeatable is (code // 1000 == 3)


@pytest.mark.parametrize("code", Close)
def test_a_close_code_lies_in_a_range_that_says_whether_to_come_back(code: Close) -> None:
    assert 4000 <= code < 5000
    assert code.come_back is (code < 4500)


def test_every_code_has_a_meaning_of_its_own() -> None:
    assert set(MEANING) == {*Code, *Close}
    assert len(set(MEANING.values())) == len(MEANING)


@pytest.mark.parametrize(
    ("code", "number"),
    [(Code.BAD_ARGS, 2400), (Code.RATE, 3429), (Code.INTERNAL, 5500), (Close.SHUTDOWN, 4000), (Close.BAD_AUTH, 4500)],
)
def test_numbers_never_change(code: Code | Close, number: int) -> None:
    assert code == number
