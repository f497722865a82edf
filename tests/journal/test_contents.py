"""How a body names personal content, and that each is compared with what is stored. The faults are in test_inspect."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import msgpack  # type: ignore[import-untyped]
import pytest

from broker.content import digest
from broker.desk import events
from broker.journal.base import CorruptJournal, Record
from broker.journal.contents import PAGE, Kept, check_contents, references, unpacked
from broker.protocol.codec import pack_value
from tests.journal.made import content, log, naming

REF = ("c_1", b"d" * 16)


@attrs.define
class Texts:
    """Records and contents that a test gives, and what was asked for."""

    log: list[Record]
    stored: dict[str, Kept]
    asked: list[int] = attrs.field(factory=list)

    def records(self, account: str, after: int, limit: int) -> list[Record]:
        return self.log[after : after + limit]

    def kept(self, account: str, ids: Sequence[str]) -> dict[str, Kept]:
        self.asked.append(len(ids))
        return {name: self.stored[name] for name in ids if name in self.stored}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (REF, [REF]),
        (("r_1", None, REF, 5), [REF]),
        ({"a": (REF, ("c_2", b"e" * 16))}, [REF, ("c_2", b"e" * 16)]),
        (("c_1", b"d" * 15), []),
        (("c_1", b"d" * 16, None), []),
        ((b"c_1", b"d" * 16), []),
        (b"d" * 16, []),
        (None, []),
    ],
)
def test_a_reference_is_an_id_and_sixteen_bytes_wherever_it_stands(
    value: object, expected: list[tuple[str, bytes]]
) -> None:
    packed: bytes = msgpack.packb(value)
    assert list(references(unpacked(packed))) == expected


def test_every_reference_of_an_event_is_found_and_nothing_else() -> None:
    put = events.RepresentativePut("ann", REF, "first", None, 2, "boss")
    assert list(references(unpacked(pack_value(events.pack_body(put))))) == [REF]
    untitled = events.TeamPut("first", None, ("billing",), "boss")
    assert list(references(unpacked(pack_value(events.pack_body(untitled))))) == []


@pytest.mark.parametrize("body", [b"\xc1", b"", b"12"])
def test_a_body_that_is_no_msgpack_names_nothing(body: bytes) -> None:
    assert unpacked(body) == body
    assert list(references(unpacked(body))) == []


def test_a_long_log_is_looked_at_a_page_at_a_time_up_to_where_its_chain_was_verified() -> None:
    one = content("c_1", "Ann")
    good = Kept(erased=False, blank=False, digest=digest(one.salt, one.data))
    texts = Texts([naming(seq, one) for seq in range(1, 3 * PAGE + 1)], {"c_1": good})
    check_contents(texts, "acme", 2 * PAGE)
    assert texts.asked == [1, 1]
    check_contents(Texts(log(1, 10), {}), "acme", 10)


def test_an_erased_content_fits_every_digest_and_a_missing_one_none() -> None:
    one = content("c_1", "Ann")
    check_contents(Texts([naming(1, one)], {"c_1": Kept(erased=True, blank=True, digest=b"")}), "acme", 1)
    with pytest.raises(CorruptJournal, match="account acme: content c_1, which record 1 names, is missing"):
        check_contents(Texts([naming(1, one)], {}), "acme", 1)
