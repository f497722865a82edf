from typing import Any

import attrs
import pytest

from broker.limits import FILE_CHUNK, FILE_COST
from broker.protocol.ops import OPS, PinRedeem, RequestCreate, weight
from tests.protocol import agreement
from tests.protocol.samples import tables


def test_the_classes_are_those_of_the_schema() -> None:
    assert agreement.of_ops(tables(), OPS) == []


def _without(described: Any) -> None:
    del described["ops"]["offer.accept"]


def _renamed(described: Any) -> None:
    args = described["ops"]["offer.accept"]["args"]
    args["proposal"] = args.pop("offer")


def _retyped(described: Any) -> None:
    described["ops"]["offer.accept"]["args"]["offer"]["type"] = "int"


def _required(described: Any) -> None:
    described["ops"]["request.create"]["args"]["text"]["optional"] = False


def _public(described: Any) -> None:
    described["ops"]["request.create"]["args"]["text"]["personal"] = False


def _told(described: Any) -> None:
    described["ops"]["pin.redeem"]["args"]["pin"]["secret"] = False


@pytest.mark.parametrize("spoil", [_without, _renamed, _retyped, _required, _public, _told])
def test_a_schema_that_differs_is_noticed(spoil: Any) -> None:
    described = tables()
    spoil(described)
    assert agreement.of_ops(described, OPS) != []


def test_a_class_of_another_name_is_noticed() -> None:
    @attrs.define
    class Take:
        offer: str

    assert agreement.of_ops(tables(), {**OPS, "offer.accept": Take}) != []


def test_optional_arguments_are_none_unless_given() -> None:
    assert RequestCreate() == RequestCreate(None, None, None, None, None)


def test_a_secret_is_not_in_a_repr() -> None:
    assert "123456789" not in repr(PinRedeem("123456789"))


def test_what_a_request_about_files_weighs() -> None:
    assert weight("chat.send", {}) == 0
    assert weight("file.get", None) == FILE_CHUNK
    assert weight("file.chunk", {"data": bytes(FILE_CHUNK)}) == FILE_CHUNK
    for args in ({"data": b"x"}, {"data": "text"}, {}, None, 7):
        assert weight("file.chunk", args) == FILE_COST
