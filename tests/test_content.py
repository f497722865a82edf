"""Personal content: a reference that says nothing without its salt, and a text that isn't shown."""

from hypothesis import assume, given
from hypothesis import strategies as st

from broker.content import Personal, digest

salts = st.binary(min_size=16, max_size=16)


@given(st.text(), salts)
def test_a_reference_is_made_of_id_and_salted_digest(text: str, salt: bytes) -> None:
    personal = Personal(text)
    assert personal.ref == ("", b"")
    personal.seal("c_1", salt)
    assert personal.ref == ("c_1", digest(salt, text.encode()))
    assert len(personal.ref[1]) == 16


@given(st.binary(), salts, salts)
def test_another_salt_gives_another_digest(data: bytes, one: bytes, other: bytes) -> None:
    assume(one != other)
    assert digest(one, data) != digest(other, data)


@given(st.binary(), st.binary(), salts)
def test_another_text_gives_another_digest(one: bytes, other: bytes, salt: bytes) -> None:
    assert (digest(salt, one) == digest(salt, other)) is (one == other)


def test_neither_text_nor_salt_is_shown() -> None:
    personal = Personal("my secret")
    personal.seal("c_1", b"0123456789abcdef")
    assert "secret" not in repr(personal)
    assert "0123456789abcdef" not in repr(personal)


def test_equal_documents_are_equal_texts_and_plain_is_what_came_in() -> None:
    one, other = Personal.document({"b": 1, "a": ["ü"]}), Personal.document({"a": ["ü"], "b": 1})
    assert one.text == other.text == '{"a":["ü"],"b":1}'
    assert one.plain == {"b": 1, "a": ["ü"]}
    assert Personal("hello").plain == "hello"
