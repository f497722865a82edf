"""Names, identities and entropy for desk tests: everything follows from a short name, so scripts can be read."""

from __future__ import annotations

import hashlib

from broker import ids
from broker.content import Personal
from broker.desk.desk import Desk
from broker.desk.identity import Identity, Role
from broker.routing.pins import PinSpace

ACCOUNT = "acme"
SLOT = 3
START = 1_700_000_000_000
"""Virtual time 0 (ms): neither zero nor a full hour."""
KEY = b"sixteen byte key"


def stream_kind(stream: str) -> str:
    """What the schema calls streams like this one."""
    kind, _, name = stream.partition(":")
    return "session_staff" if kind == "session" and name.endswith(":staff") else kind


def entropy(name: str) -> bytes:
    """What a command called ``name`` draws."""
    return hashlib.blake2b(name.encode(), digest_size=ids.ENTROPY_BYTES).digest()


def request_id(name: str) -> str:
    """The request made by the command called ``name``."""
    return f"r_{ids.token(entropy(name))}"


def case_id(name: str) -> str:
    """The case of the request of this name."""
    return f"k_{request_id(name)[2:]}"


def session_id(name: str) -> str:
    """Its session."""
    return f"s_{ids.token(entropy(name))}"


def offer_id(name: str, number: int = 1) -> str:
    """Its ``number``-th offer."""
    return f"o_{ids.token(entropy(name))}.{number}"


def share_id(name: str, number: int = 1) -> str:
    """Its ``number``-th screen share."""
    return f"h_{ids.token(entropy(name))}.{number}"


def pin_id(name: str) -> str:
    """The pin made by the command called ``name``."""
    return f"p_{ids.token(entropy(name))}"


def block_id(name: str) -> str:
    """The block made by the command called ``name``."""
    return f"b_{ids.token(entropy(name))}"


def personal(text: str, content_id: str | None = None) -> Personal:
    """A sealed personal field, as the hub hands it to the desk."""
    made = Personal(text)
    made.seal(content_id or "c_" + hashlib.blake2b(text.encode(), digest_size=6).hexdigest(), b"s" * 16)
    return made


def document(data: object, content_id: str = "d_1") -> Personal:
    """The same of a map or a list."""
    made = Personal.document(data)
    made.seal(content_id, b"s" * 16)
    return made


def customer(name: str, portal: str | None = "help") -> Identity:
    """The visitor ``v_<name>`` who came through this portal (None: by the global pin address)."""
    return Identity(ACCOUNT, f"v_{name}", Role.CUSTOMER, portal)


def representative(name: str) -> Identity:
    """A representative."""
    return Identity(ACCOUNT, name, Role.REPRESENTATIVE)


def manager(name: str = "mia") -> Identity:
    """A manager."""
    return Identity(ACCOUNT, name, Role.MANAGER)


def desk() -> Desk:
    """An empty account."""
    return Desk(ACCOUNT, SLOT, PinSpace(KEY))
