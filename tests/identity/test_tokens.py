"""Tokens: what was minted reads back; anything else, one bit or one spelling away, is refused."""

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from broker.desk.identity import Identity, Role
from broker.identity.tokens import MAX_TOKEN_CHARS, BadToken, Claims, ExpiredToken, Signer
from broker.limits import MAX_INT

KEY = bytes(range(32))
SIGNER = Signer(KEY)
NOW = 1_700_000_000_000
LATER = NOW + 3_600_000

slugs = st.from_regex(r"[a-z0-9]([a-z0-9_.-]{0,62}[a-z0-9])?", fullmatch=True)
names = slugs.filter(lambda text: not text.startswith("v_"))
visitors = st.from_regex(r"v_[0-9a-z]{1,62}", fullmatch=True)


@st.composite
def claims(draw: st.DrawFn) -> Claims:
    """Everything that a token may say, good at NOW."""
    role = draw(st.sampled_from(Role))
    customer = role is Role.CUSTOMER
    return Claims(
        account=draw(slugs),
        person=draw(visitors if customer else names),
        role=role,
        expires=draw(st.integers(NOW + 1, MAX_INT)),
        portal=draw(st.none() | slugs) if customer else None,
    )


def mint(what: Claims) -> str:
    return SIGNER.mint(what.account, what.person, what.role, what.expires, what.portal)


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(payload: bytes | str, version: str = "v1", key: bytes = KEY) -> str:
    """A token with a right signature over any payload: what a holder of the key could write."""
    text = payload if isinstance(payload, str) else encode(payload)
    signed = f"{version}.{text}"
    return f"{signed}.{encode(hmac.digest(key, signed.encode(), hashlib.sha256))}"


@given(claims())
def test_what_was_minted_reads_back(what: Claims) -> None:
    assert SIGNER.verify(mint(what), NOW) == what


@given(claims())
def test_a_token_fits_the_schema_and_an_address(what: Claims) -> None:
    token = mint(what)
    assert len(token) <= MAX_TOKEN_CHARS
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")


def test_claims_become_the_identity_a_desk_knows() -> None:
    token = SIGNER.mint("acme", "v_0123456789abcdef", "customer", LATER, "help")
    assert SIGNER.verify(token, NOW).identity == Identity("acme", "v_0123456789abcdef", Role.CUSTOMER, "help")


def test_the_format_is_fixed() -> None:
    token = SIGNER.mint("acme", "ann", Role.REPRESENTATIVE, LATER)
    version, payload, signature = token.split(".")
    assert version == "v1"
    text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    assert text == b'{"a":"acme","e":%d,"p":"ann","r":"representative"}' % LATER
    assert signature == encode(hmac.digest(KEY, f"v1.{payload}".encode(), hashlib.sha256))


def test_a_token_is_good_until_its_expiry_and_not_at_it() -> None:
    token = SIGNER.mint("acme", "ann", Role.REPRESENTATIVE, LATER)
    assert SIGNER.verify(token, LATER - 1).expires == LATER
    with pytest.raises(ExpiredToken):
        SIGNER.verify(token, LATER)


@given(claims(), st.data())
def test_any_other_character_is_refused(what: Claims, data: st.DataObject) -> None:
    token = mint(what)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="utf-8"))
    assume(other != token[place])
    with pytest.raises(BadToken):
        SIGNER.verify(token[:place] + other + token[place + 1 :], NOW)


@given(claims(), st.data())
def test_a_cut_or_lengthened_token_is_refused(what: Claims, data: st.DataObject) -> None:
    token = mint(what)
    with pytest.raises(BadToken):
        SIGNER.verify(token[: data.draw(st.integers(0, len(token) - 1))], NOW)
    with pytest.raises(BadToken):
        SIGNER.verify(token + data.draw(st.text(min_size=1)), NOW)


@given(st.text())
@example("")
@example("..")
@example("v1..")
@example("v1.e30." + "A" * 43)
def test_any_text_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(BadToken):
        SIGNER.verify(text, NOW)


@given(claims(), st.binary(min_size=32, max_size=64))
def test_another_installations_token_is_refused(what: Claims, key: bytes) -> None:
    assume(key != KEY)
    with pytest.raises(BadToken):
        Signer(key).verify(mint(what), NOW)


def test_another_spelling_of_the_same_signature_is_refused() -> None:
    token = SIGNER.mint("acme", "ann", Role.REPRESENTATIVE, LATER)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # 43 characters carry 258 bits, two more than the signature has: four last characters decode alike
    last = alphabet.index(token[-1])
    spellings = [token[:-1] + alphabet[last ^ bits] for bits in (1, 2, 3)]
    for spelling in spellings:
        with pytest.raises(BadToken):
            SIGNER.verify(spelling, NOW)


def test_an_over_long_token_is_refused_before_anything_is_computed() -> None:
    with pytest.raises(BadToken, match="not a token"):
        SIGNER.verify(sign(b"x" * 2000), NOW)


GOOD = {"a": "acme", "e": LATER, "p": "ann", "r": "representative"}


def canonical(fields: object) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def test_the_helper_signs_as_the_signer_does() -> None:
    assert SIGNER.verify(sign(canonical(GOOD)), NOW).person == "ann"


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(json.dumps(GOOD).encode(), id="with blanks"),
        pytest.param(b'{"e":%d,"a":"acme","p":"ann","r":"representative"}' % LATER, id="in another order"),
        pytest.param(b'{"a":"acme","a":"acme","e":%d,"p":"ann","r":"representative"}' % LATER, id="a field twice"),
        pytest.param(b'{"a":"\\u0061cme","e":%d,"p":"ann","r":"representative"}' % LATER, id="an escape"),
        pytest.param(b'{"a":"acme","e":%d.0,"p":"ann","r":"representative"}' % LATER, id="a float"),
        pytest.param(b'{"a":"acme","e":1e300,"p":"ann","r":"representative"}', id="a large float"),
        pytest.param(b'{"a":"acme","e":NaN,"p":"ann","r":"representative"}', id="no number"),
        pytest.param(canonical({**GOOD, "e": True}), id="a bool for a number"),
        pytest.param(canonical({**GOOD, "e": str(LATER)}), id="a text for a number"),
        pytest.param(canonical({**GOOD, "e": -1}), id="before 1970"),
        pytest.param(canonical({**GOOD, "e": MAX_INT + 1}), id="after all time"),
        pytest.param(canonical({**GOOD, "r": "owner"}), id="no such role"),
        pytest.param(canonical({**GOOD, "r": ["manager"]}), id="a list for a role"),
        pytest.param(canonical({**GOOD, "a": "Not A Slug"}), id="no slug"),
        pytest.param(canonical({**GOOD, "p": "v_123"}), id="a representative who looks like a visitor"),
        pytest.param(canonical({**GOOD, "r": "customer"}), id="a customer who looks like a representative"),
        pytest.param(canonical({**GOOD, "o": "help"}), id="a representative with a portal"),
        pytest.param(canonical({**GOOD, "o": None}), id="a portal that is nothing"),
        pytest.param(canonical({**GOOD, "x": 1}), id="a field more"),
        pytest.param(canonical({"a": "acme", "e": LATER, "p": "ann"}), id="a field less"),
        pytest.param(canonical([]), id="a list"),
        pytest.param(canonical(1), id="a number alone"),
        pytest.param(b"[" * 1200, id="deep"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b"{", id="not JSON"),
    ],
)
def test_a_right_signature_over_anything_else_is_refused(payload: bytes) -> None:
    with pytest.raises(BadToken):
        SIGNER.verify(sign(payload), NOW)


@pytest.mark.parametrize("version", ["v2", "none", "V1", "", "v1.v1"])
def test_another_version_is_refused_even_when_signed(version: str) -> None:
    with pytest.raises(BadToken):
        SIGNER.verify(sign(canonical(GOOD), version), NOW)


def test_a_payload_in_another_base64_spelling_is_refused() -> None:
    text = encode(canonical({**GOOD, "p": "bobby0"}))
    assert len(text) % 4 == 2, "the payload's last character must have bits to spare"
    assert text[-1] == "Q"
    spelling = text[:-1] + "R"
    assert base64.urlsafe_b64decode(spelling + "==") == base64.urlsafe_b64decode(text + "==")
    with pytest.raises(BadToken):
        SIGNER.verify(sign(spelling), NOW)


@pytest.mark.parametrize(
    ("account", "person", "role", "expires", "portal", "named"),
    [
        ("Acme", "ann", "representative", LATER, None, "account"),
        ("acme", "Ann", "representative", LATER, None, "person"),
        ("acme", "v_1", "manager", LATER, None, "person"),
        ("acme", "ann", "customer", LATER, None, "person"),
        ("acme", "v_" + "a" * 63, "customer", LATER, None, "person"),
        ("acme", "ann", "service", LATER, "help", "portal"),
        ("acme", "v_1", "customer", LATER, "No Slug", "portal"),
        ("acme", "ann", "manager", -1, None, "expires"),
        ("acme", "ann", "manager", MAX_INT + 1, None, "expires"),
        ("acme", "ann", "owner", LATER, None, "owner"),
    ],
)
def test_what_no_token_may_say_is_not_minted(
    account: str, person: str, role: str, expires: int, portal: str | None, named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        SIGNER.mint(account, person, role, expires, portal)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Signer(bytes(31))
