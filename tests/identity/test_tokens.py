"""Tokens: what was minted reads back; anything else, one bit or one spelling away, is refused."""

# covers: broker/identity/claims.py

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from broker.desk.identity import Identity, Role
from broker.identity.tokens import (
    MAX_TOKEN_CHARS,
    AnyClaims,
    BadToken,
    Claims,
    Entry,
    ExpiredToken,
    Purpose,
    Refresh,
    SetPassword,
    Signer,
)
from broker.limits import MAX_INT, MAX_PAGE_CHARS

KEY = bytes(range(32))
SIGNER = Signer(KEY)
NOW = 1_700_000_000_000
LATER = NOW + 3_600_000

slugs = st.from_regex(r"[a-z0-9]([a-z0-9_.-]{0,62}[a-z0-9])?", fullmatch=True)
names = slugs.filter(lambda text: not text.startswith("v_"))
visitors = st.from_regex(r"v_[0-9a-z]{1,62}", fullmatch=True)
sign_ins = st.from_regex(r"n_[0-9a-z]{1,62}", fullmatch=True)
languages = st.sampled_from(["de", "pt-BR", "sr-Latn-RS", "en-a-bbb-x-" + "-".join(["a1b2c3d4"] * 2) + "-abcd"])
pages = st.from_regex(r"https?://[!#-;=?-\[\]-~]{1,1016}", fullmatch=True)


@st.composite
def claims(draw: st.DrawFn) -> Claims:
    """Everything that a token may say, good at NOW."""
    role = draw(st.sampled_from(Role))
    customer = role is Role.CUSTOMER
    expires = draw(st.integers(NOW + 1, MAX_INT))
    scopes = st.none() | st.sets(slugs, max_size=16).map(lambda found: tuple(sorted(found)))
    return Claims(
        account=draw(slugs),
        person=draw(visitors if customer else names),
        role=role,
        expires=expires,
        portal=draw(st.none() | slugs) if customer else None,
        issued=draw(st.none() | st.integers(0, expires)),
        sign_in=None if customer else draw(st.none() | sign_ins),
        scopes=draw(scopes) if role is Role.SERVICE else None,
    )


@st.composite
def others(draw: st.DrawFn) -> Refresh | SetPassword | Entry:
    """The same for the other purposes."""
    expires = draw(st.integers(NOW + 1, MAX_INT))
    issued = draw(st.none() | st.integers(0, expires))
    purpose = draw(st.sampled_from([Purpose.REFRESH, Purpose.PASSWORD, Purpose.ENTRY]))
    account = draw(slugs)
    if purpose is Purpose.ENTRY:
        return Entry(
            account=account,
            portal=draw(slugs),
            expires=expires,
            issued=issued,
            page=draw(st.none() | pages),
            language=draw(st.none() | languages),
            class_=draw(st.none() | slugs),
            skills=tuple(draw(st.lists(slugs, max_size=2, unique=True))),
        )
    person, serial = draw(names), draw(st.integers(0, MAX_INT))
    role = draw(st.sampled_from([Role.REPRESENTATIVE, Role.MANAGER]))
    if purpose is Purpose.PASSWORD:
        return SetPassword(account=account, person=person, role=role, expires=expires, issued=issued, serial=serial)
    sign_in = draw(sign_ins)
    return Refresh(
        account=account, person=person, role=role, expires=expires, issued=issued, serial=serial, sign_in=sign_in
    )


PURPOSES: dict[type[AnyClaims], Purpose] = {
    Claims: Purpose.ACCESS,
    Refresh: Purpose.REFRESH,
    SetPassword: Purpose.PASSWORD,
    Entry: Purpose.ENTRY,
}


def verify(token: str, purpose: Purpose, now: int = NOW, signer: Signer = SIGNER) -> AnyClaims:
    """``Signer.verify`` for a purpose that only the test's run knows."""
    return signer.verify(token, now, purpose)  # type: ignore[call-overload,no-any-return]  # its overloads are literal


def mint(what: Claims) -> str:
    return SIGNER.mint(
        what.account,
        what.person,
        what.role,
        what.expires,
        what.portal,
        issued=what.issued,
        sign_in=what.sign_in,
        scopes=what.scopes,
    )


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


@given(claims() | others())
def test_what_was_signed_reads_back_for_its_purpose(what: AnyClaims) -> None:
    token = SIGNER.sign(what)
    assert verify(token, PURPOSES[type(what)]) == what
    assert len(token) <= MAX_TOKEN_CHARS


@given(claims() | others(), st.sampled_from(Purpose))
def test_a_token_of_one_purpose_never_passes_as_another(what: AnyClaims, purpose: Purpose) -> None:
    assume(PURPOSES[type(what)] is not purpose)
    with pytest.raises(BadToken, match="something else") as caught:
        verify(SIGNER.sign(what), purpose)
    assert not isinstance(caught.value, ExpiredToken)


@given(claims() | others(), st.sampled_from(Purpose), st.data())
def test_no_change_makes_a_token_of_any_purpose(what: AnyClaims, purpose: Purpose, data: st.DataObject) -> None:
    token = SIGNER.sign(what)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."))
    assume(other != token[place])
    with pytest.raises(BadToken):
        verify(token[:place] + other + token[place + 1 :], purpose)


@given(others(), st.binary(min_size=32, max_size=64))
def test_another_installations_tokens_are_refused_for_every_purpose(what: AnyClaims, key: bytes) -> None:
    assume(key != KEY)
    with pytest.raises(BadToken, match="not signed by this installation"):
        verify(SIGNER.sign(what), PURPOSES[type(what)], signer=Signer(key))


@given(others())
def test_every_purpose_expires(what: AnyClaims) -> None:
    with pytest.raises(ExpiredToken):
        verify(SIGNER.sign(what), PURPOSES[type(what)], now=what.expires)


def test_the_longest_entry_fits_the_schema() -> None:
    slug = "s" * 64
    longest = Entry(
        account=slug,
        portal=slug,
        expires=MAX_INT,
        issued=MAX_INT,
        page="https://" + "~" * (MAX_PAGE_CHARS - 8),
        language="a" * 8 + "-bbbbbbbb" * 3,
        class_=slug,
        skills=(slug, "t" * 64),
    )
    assert verify(SIGNER.sign(longest), Purpose.ENTRY) == longest
    assert len(SIGNER.sign(longest)) <= MAX_TOKEN_CHARS


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


def test_the_other_formats_are_fixed() -> None:
    """Tokens outlive releases: a letter that changes its meaning is a hole."""
    written = {
        SIGNER.mint("acme", "crm", "service", LATER, issued=NOW, sign_in="n_1", scopes=["b", "a", "b"]): (
            b'{"a":"acme","e":%d,"i":%d,"p":"crm","r":"service","s":"n_1","x":["a","b"]}' % (LATER, NOW)
        ),
        SIGNER.sign(
            Refresh(account="acme", person="ann", role=Role.MANAGER, expires=LATER, sign_in="n_1", serial=3)
        ): b'{"a":"acme","e":%d,"n":3,"p":"ann","r":"manager","s":"n_1","u":"refresh"}' % LATER,
        SIGNER.sign(
            SetPassword(account="acme", person="ann", role=Role.MANAGER, expires=LATER, serial=0)
        ): b'{"a":"acme","e":%d,"n":0,"p":"ann","r":"manager","u":"password"}' % LATER,
        SIGNER.sign(
            Entry(
                account="acme",
                portal="help",
                expires=LATER,
                page="https://x.example/?q=1#a",
                language="de-AT",
                class_="gold",
                skills=("b", "a"),
            )
        ): b'{"a":"acme","c":"gold","e":%d,"g":"https://x.example/?q=1#a","k":["b","a"],"l":"de-AT","o":"help",'
        b'"u":"entry"}' % LATER,
    }
    for token, text in written.items():
        payload = token.split(".")[1]
        assert base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)) == text


def test_no_scopes_are_something_else_than_none_said() -> None:
    none = SIGNER.mint("acme", "crm", "service", LATER)
    empty = SIGNER.mint("acme", "crm", "service", LATER, scopes=[])
    assert SIGNER.verify(none, NOW).scopes is None
    assert SIGNER.verify(empty, NOW).scopes == ()


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "none", "typ": "JWT"},
        {"alg": "HS256", "typ": "JWT"},
        {"alg": "HS256", "kid": "../../secret.key"},
    ],
)
@pytest.mark.parametrize("signed", [True, False])
def test_a_token_that_names_its_own_algorithm_is_refused(header: dict[str, str], signed: bool) -> None:  # noqa: FBT001
    text = f"{encode(json.dumps(header, separators=(',', ':')).encode())}.{encode(canonical(GOOD))}"
    signature = encode(hmac.digest(KEY, text.encode(), hashlib.sha256)) if signed else ""
    for token in (f"{text}.{signature}", f"{text}.", text, f"v1.{text}.{signature}", f"v1.{text}"):
        for purpose in Purpose:
            with pytest.raises(BadToken):
                verify(token, purpose)


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


REFRESH = {**GOOD, "n": 1, "s": "n_1", "u": "refresh"}
PASSWORD = {**GOOD, "n": 1, "u": "password"}
ENTRY = {"a": "acme", "e": LATER, "o": "help", "u": "entry"}


@pytest.mark.parametrize(
    ("fields", "purpose"), [(GOOD, "access"), (REFRESH, "refresh"), (PASSWORD, "password"), (ENTRY, "entry")]
)
def test_the_good_ones_below_are_good(fields: dict[str, object], purpose: str) -> None:
    verify(sign(canonical(fields)), Purpose(purpose))


@pytest.mark.parametrize(
    ("fields", "purpose"),
    [
        pytest.param({**GOOD, "u": "access"}, "access", id="access said aloud"),
        pytest.param({**GOOD, "u": None}, "access", id="a purpose that is nothing"),
        pytest.param({**GOOD, "u": ["access"]}, "access", id="a list for a purpose"),
        pytest.param({**GOOD, "i": -1}, "access", id="issued before 1970"),
        pytest.param({**GOOD, "i": LATER + 1}, "access", id="issued after its end"),
        pytest.param({**GOOD, "i": None}, "access", id="issued nothing"),
        pytest.param({**GOOD, "s": "s_1"}, "access", id="no sign-in's id"),
        pytest.param({**GOOD, "s": "n_" + "a" * 63}, "access", id="a long sign-in id"),
        pytest.param({**GOOD, "r": "customer", "p": "v_1", "s": "n_1"}, "access", id="a customer who signed in"),
        pytest.param({**GOOD, "x": ["a"]}, "access", id="a representative with scopes"),
        pytest.param({**GOOD, "r": "service", "x": ["b", "a"]}, "access", id="scopes not sorted"),
        pytest.param({**GOOD, "r": "service", "x": ["a", "a"]}, "access", id="a scope twice"),
        pytest.param({**GOOD, "r": "service", "x": ["A"]}, "access", id="a scope that is no slug"),
        pytest.param({**GOOD, "r": "service", "x": [1]}, "access", id="a number for a scope"),
        pytest.param({**GOOD, "r": "service", "x": "a"}, "access", id="a text for scopes"),
        pytest.param({**GOOD, "r": "service", "x": [f"a{n:02}" for n in range(17)]}, "access", id="too many scopes"),
        pytest.param({**GOOD, "n": 1}, "access", id="a serial in an access token"),
        pytest.param({**GOOD, "n": 1, "u": "refresh"}, "refresh", id="a refresh token of no sign-in"),
        pytest.param({**REFRESH, "s": "x"}, "refresh", id="a refresh token of no sign-in's id"),
        pytest.param({**REFRESH, "n": -1}, "refresh", id="a serial below zero"),
        pytest.param({**REFRESH, "n": True}, "refresh", id="a bool for a serial"),
        pytest.param({**REFRESH, "n": MAX_INT + 1}, "refresh", id="a serial that JavaScript can't hold"),
        pytest.param({**REFRESH, "r": "service"}, "refresh", id="a service's refresh token"),
        pytest.param({**REFRESH, "r": "customer", "p": "v_1"}, "refresh", id="a customer's refresh token"),
        pytest.param({**REFRESH, "x": ["a"]}, "refresh", id="scopes in a refresh token"),
        pytest.param({**PASSWORD, "s": "n_1"}, "password", id="a sign-in in a password token"),
        pytest.param({**PASSWORD, "r": "service"}, "password", id="a service's password"),
        pytest.param({**PASSWORD, "r": "customer", "p": "v_1"}, "password", id="a customer's password"),
        pytest.param({**GOOD, "u": "password"}, "password", id="a password token without a count"),
        pytest.param({**ENTRY, "p": "ann"}, "entry", id="a person in an entry"),
        pytest.param({**ENTRY, "r": "customer"}, "entry", id="a role in an entry"),
        pytest.param({"a": "acme", "e": LATER, "u": "entry"}, "entry", id="an entry to nowhere"),
        pytest.param({**ENTRY, "o": "No Slug"}, "entry", id="an entry to no portal"),
        pytest.param({**ENTRY, "a": "No Slug"}, "entry", id="an entry to no account"),
        pytest.param({**ENTRY, "g": "javascript:alert(1)"}, "entry", id="a script for a page"),
        pytest.param({**ENTRY, "g": "https://x.example/ y"}, "entry", id="a blank in an address"),
        pytest.param({**ENTRY, "g": "https://x.example/\n"}, "entry", id="a line's end in an address"),
        pytest.param({**ENTRY, "g": 'https://x.example/"'}, "entry", id="a quote in an address"),
        pytest.param({**ENTRY, "g": "https://x.example/\\"}, "entry", id="a backslash in an address"),
        pytest.param({**ENTRY, "g": "https://é.example/"}, "entry", id="an address that isn't ASCII"),
        pytest.param({**ENTRY, "g": "https://" + "x" * MAX_PAGE_CHARS}, "entry", id="a long address"),
        pytest.param({**ENTRY, "l": "de_AT"}, "entry", id="no language tag"),
        pytest.param({**ENTRY, "l": "de" + "-abcd" * 7}, "entry", id="a long language tag"),
        pytest.param({**ENTRY, "c": "Gold!"}, "entry", id="a class that is no slug"),
        pytest.param({**ENTRY, "k": []}, "entry", id="no skills said aloud"),
        pytest.param({**ENTRY, "k": ["a", "b", "c"]}, "entry", id="too many skills"),
        pytest.param({**ENTRY, "k": ["a", "a"]}, "entry", id="a skill twice"),
        pytest.param({**ENTRY, "k": ["A"]}, "entry", id="a skill that is no slug"),
    ],
)
def test_a_claim_that_a_token_may_not_have_is_refused(fields: dict[str, object], purpose: str) -> None:
    with pytest.raises(BadToken):
        verify(sign(canonical(fields)), Purpose(purpose))


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


@pytest.mark.parametrize(
    ("what", "named"),
    [
        (Claims(account="a", person="v_1", role=Role.CUSTOMER, expires=1, sign_in="n_1"), "sign_in"),
        (Claims(account="a", person="b", role=Role.MANAGER, expires=1, scopes=()), "scopes"),
        (Claims(account="a", person="b", role=Role.SERVICE, expires=1, scopes=("b", "a")), "scopes"),
        (Claims(account="a", person="b", role=Role.MANAGER, expires=1, issued=2), "issued"),
        (Refresh(account="a", person="b", role=Role.SERVICE, expires=1, sign_in="n_1", serial=0), "role"),
        (Refresh(account="a", person="b", role=Role.MANAGER, expires=1, sign_in="1", serial=0), "sign_in"),
        (SetPassword(account="a", person="b", role=Role.MANAGER, expires=1, serial=-1), "serial"),
        (Entry(account="a", portal="B", expires=1), "portal"),
        (Entry(account="a", portal="b", expires=1, page="ftp://x"), "page"),
        (Entry(account="a", portal="b", expires=1, language="?"), "language"),
        (Entry(account="a", portal="b", expires=1, class_="?"), "class_"),
        (Entry(account="a", portal="b", expires=1, skills=("a", "b", "c")), "skills"),
        (Entry(account="a", portal="b", expires=-1), "expires"),
    ],
)
def test_what_is_not_signed_is_named_by_its_field(what: AnyClaims, named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}: expected"):
        SIGNER.sign(what)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Signer(bytes(31))
