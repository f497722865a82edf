"""Passwords: the same keys give the same bytes, only the right one is right, and policies name what is missing."""

import unicodedata

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from broker import limits
from broker.identity import passwords
from broker.identity.common import COMMON
from broker.identity.passwords import (
    COST,
    WRONG,
    Cost,
    Policy,
    UnfitPassword,
    Verdict,
    dummy,
    objections,
    prepare,
    verify,
)
from broker.identity.secrecy import Secret
from broker.units import KIB

CHEAP = Cost(time=1, memory=8 * KIB, lanes=1)
OTHER = Cost(time=2, memory=8 * KIB, lanes=1)


def fits(text: str) -> bool:
    try:
        prepare(text)
    except UnfitPassword:
        return False
    return True


fitting = st.text(min_size=1, max_size=40).filter(fits)


# --- preparing -----------------------------------------------------------------------------------


@given(st.text(max_size=600))
def test_every_text_is_prepared_within_the_bounds_or_refused_by_name(text: str) -> None:
    if not fits(text):
        with pytest.raises(UnfitPassword, match=r"^password: expected "):
            prepare(text)
        return
    found = prepare(text)
    assert 1 <= len(found) <= limits.MAX_PASSWORD_CHARS
    assert unicodedata.is_normalized("NFKC", found)
    assert not {unicodedata.category(character) for character in found} & {"Cc", "Cs", "Cn"}
    assert {character for character in found if unicodedata.category(character) == "Zs"} <= {" "}
    found.encode("utf-8")


@given(fitting)
def test_preparing_twice_changes_nothing_more(text: str) -> None:
    assert prepare(prepare(text)) == prepare(text)


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("ide\u0301e", "id\u00e9e"),
        ("\uff30\uff41\uff53\uff53", "Pass"),
        ("a\u00a0b", "a b"),
        ("a\u3000b", "a b"),
        ("a\u1680b", "a b"),
        ("\ufb01sh", "fish"),
    ],
)
def test_the_same_keys_are_the_same_password(typed: str, same: str) -> None:
    assert prepare(typed) == prepare(same) == same


@pytest.mark.parametrize(("one", "other"), [("Pass", "pass"), (" pass", "pass"), ("pass ", "pass"), ("ß", "ss")])
def test_case_and_blanks_at_the_ends_count(one: str, other: str) -> None:
    assert prepare(one) != prepare(other)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "at least 1 character"),
        ("x" * 513, "at most 512 bytes"),
        ("\U0001f511" * 129, "at most 512 bytes"),
        ("x" * 129, "at most 128 characters"),
        ("\ufdfa" * 8, "at most 128 characters"),
        ("pass\nword", "no control characters"),
        ("pass\0word", "no control characters"),
        ("\ud800", "no lone surrogates"),
        ("\U0003fffe", "no code points"),
    ],
)
def test_what_cannot_be_a_password_is_refused_without_being_quoted(text: str, named: str) -> None:
    with pytest.raises(UnfitPassword, match=named) as caught:
        prepare(text)
    assert text == "" or text not in str(caught.value)


def test_the_longest_password_is_taken() -> None:
    assert prepare("\U0001f511" * 128) == "\U0001f511" * 128
    assert len(prepare("e\u0301" * 128)) == 128


# --- hashing -------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(fitting)
def test_the_password_is_right_whoever_wraps_it(password: str) -> None:
    kept = passwords.hash(password, CHEAP)
    assert verify(kept, Secret(password), CHEAP) == Verdict(right=True)
    assert verify(passwords.hash(Secret(password), CHEAP), password, CHEAP).right


@settings(max_examples=40)
@given(fitting, st.text(max_size=40))
def test_any_other_is_wrong(password: str, other: str) -> None:
    assume(not fits(other) or prepare(other) != prepare(password))
    assert verify(passwords.hash(password, CHEAP), other, CHEAP) == WRONG


def test_two_hashes_of_one_password_differ_and_hold_nothing_of_it() -> None:
    one, other = passwords.hash("Spring-1942", CHEAP), passwords.hash("Spring-1942", CHEAP)
    assert one != other
    assert "Spring" not in one


def test_a_hash_made_at_another_cost_is_right_and_outdated() -> None:
    kept = passwords.hash("Spring-1942", OTHER)
    assert verify(kept, "Spring-1942", CHEAP) == Verdict(right=True, outdated=True)
    assert verify(kept, "Spring-1942", OTHER) == Verdict(right=True)
    assert verify(kept, "spring-1942", CHEAP) == WRONG


def test_a_hash_with_a_shorter_salt_or_digest_is_outdated() -> None:
    for salt, size in ((8, 32), (16, 16)):
        maker = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, salt_len=salt, hash_len=size)
        assert verify(maker.hash("Spring-1942"), "Spring-1942", CHEAP) == Verdict(right=True, outdated=True)


def test_the_cost_is_the_second_recommended_choice_of_the_rfc() -> None:
    made = extract_parameters(passwords.hash("Spring-1942"))
    assert made == RFC_9106_LOW_MEMORY
    assert extract_parameters(dummy()) == made
    assert Cost() == COST


@pytest.mark.parametrize("cost", [COST, CHEAP, OTHER])
def test_the_dummy_is_checked_at_the_same_cost_and_nothing_is_its_password(cost: Cost) -> None:
    kept = dummy(cost)
    assert verify(kept, "huntgroup: nobody of that name", cost) == WRONG
    real = extract_parameters(passwords.hash("x", cost))
    assert extract_parameters(kept) == real
    assert len(kept) == len(passwords.hash("x", cost))


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "Spring-1942",
        "$2b$12$abcdefghijklmnopqrstuv",
        passwords.hash("x", CHEAP).replace("argon2id", "argon2i"),
        passwords.hash("x", CHEAP) + "\n",
        "$argon2id$v=19$m=999999999,t=1,p=1$" + "A" * 22 + "$" + "A" * 43,
        "$argon2id$v=19$m=8,t=17,p=1$" + "A" * 22 + "$" + "A" * 43,
        "$argon2id$v=19$m=256,t=1,p=17$" + "A" * 22 + "$" + "A" * 43,
        "$argon2id$v=19$m=8,t=1,p=2$" + "A" * 22 + "$" + "A" * 43,
        "$argon2id$v=19$m=8,t=1,p=1$" + "A" * 21 + "$" + "A" * 43,
    ],
)
def test_a_text_that_is_no_hash_of_ours_is_named_and_costs_nothing(kept: str) -> None:
    with pytest.raises(ValueError, match="hash: expected an Argon2id hash"):
        verify(kept, "Spring-1942")


# --- policies ------------------------------------------------------------------------------------


def wrong(password: str, policy: Policy | None = None, *words: str) -> list[str]:
    return [text.removeprefix("password: expected ") for text in objections(policy or Policy(), password, words)]


@pytest.mark.parametrize("password", ["Tr0mbone", "correct Horse 4", "Örtlich-", "трамвай-Б7"])
def test_good_passwords_have_no_objections(password: str) -> None:
    assert wrong(password) == []


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("Tr0mb", ["at least 8 characters"]),
        ("trombone", ["at least 3 of small letters, capital letters, digits and other characters"]),
        ("tr0mbone", ["at least 3 of small letters, capital letters, digits and other characters"]),
        ("pass\tword", ["no control characters"]),
        ("", ["at least 1 character"]),
    ],
)
def test_what_is_missing_is_named(password: str, expected: list[str]) -> None:
    assert wrong(password) == expected


def test_everything_that_is_missing_is_named_at_once() -> None:
    found = wrong("anna", Policy(), "anna")
    assert [text.split()[0] for text in found] == ["at", "at", "one"]


@given(
    st.integers(0, 4),
    st.sets(st.sampled_from(["lower", "upper", "digit", "other"]), min_size=1),
    st.data(),
)
def test_classes_are_counted(least: int, present: set[str], data: st.DataObject) -> None:
    alphabets = {"lower": "zxwv", "upper": "ZXWV", "digit": "5927", "other": " -#字"}
    parts = [data.draw(st.text(alphabets[name], min_size=1, max_size=4)) for name in sorted(present)]
    password = "".join(parts)
    assume(fits(password))
    policy = Policy(min_length=1, classes=least)
    assert any("small letters" in text for text in wrong(password, policy)) is (len(present) < least)


@given(st.integers(1, 128), st.integers(1, 128), st.integers(1, 128))
def test_lengths_are_counted_in_characters_as_prepared(low: int, high: int, length: int) -> None:
    assume(low <= high)
    policy = Policy(min_length=low, max_length=high, classes=0)
    found = wrong("e\u0301" * length, policy)
    assert any(text.startswith("at least") for text in found) is (length < low)
    assert any(text.startswith("at most") for text in found) is (length > high)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("Anneliese-7", ["anneliese"]),
        ("xx-AnneLiese7", ["ANNELIESE@example.org"]),
        ("my\uff41nneliese7X", ["anneliese"]),
        ("Ann-Alder", ["nobody", "ann-alder@example.org"]),
    ],
)
def test_the_persons_own_names_are_refused(password: str, words: list[str]) -> None:
    assert any("your login" in text for text in wrong(password, None, *words))


@pytest.mark.parametrize(("password", "words"), [("Planning-7", ["ann"]), ("Tr0mbone", ["", "@example.org"])])
def test_short_names_are_in_too_many_words(password: str, words: list[str]) -> None:
    assert wrong(password, None, *words) == []


def test_a_short_name_is_no_password_by_itself() -> None:
    assert wrong("Ann", Policy(min_length=1, classes=0), "ann") == [
        "one that doesn't contain your login or e-mail name"
    ]


@pytest.mark.parametrize(
    "password", ["Password1", "P@ssw0rd!", "Summer2024!", "Welcome1", "Qwerty123!", "Admin123", "Dr4gon-1"]
)
def test_common_passwords_are_refused_however_they_are_decorated(password: str) -> None:
    assert any("tried first" in text for text in wrong(password))


@given(st.sampled_from(sorted(COMMON)), st.booleans())
def test_every_common_password_is_refused_in_any_case(password: str, upper: bool) -> None:  # noqa: FBT001
    written = password.upper() if upper else password
    assert any("tried first" in text for text in wrong(written, Policy(min_length=1, classes=0)))


def test_there_are_enough_common_passwords_and_none_twice() -> None:
    assert len(COMMON) >= 200
    assert all(word == word.casefold() for word in COMMON)


@pytest.mark.parametrize("password", ["Dragonfly-Xylophon", "test-Bergziege", "Password to the cellar 7"])
def test_a_common_word_may_be_part_of_a_longer_password(password: str) -> None:
    assert wrong(password) == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"min_length": 0}, "min_length"),
        ({"min_length": 129}, "min_length"),
        ({"max_length": 129}, "max_length"),
        ({"min_length": 20, "max_length": 19}, "max_length"),
        ({"classes": -1}, "classes"),
        ({"classes": 5}, "classes"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_field(fields: dict[str, int], named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}: expected"):
        Policy(**fields)
