"""Which files belong to a journal, read from its records: the same that the desk knows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from broker.desk import events as e
from broker.desk.commands import Gathered
from broker.journal.base import Record
from broker.protocol import ops
from broker.protocol.codec import pack_value
from broker.runtime import shared_files as module
from broker.runtime.shared_files import Shared, shared_files
from broker.runtime.why import Read
from tests.desk.test_files import ANN, KIM, PNG, begin, file_id, portal, share
from tests.support import people
from tests.support.builders import case_id, customer, manager, session_id
from tests.support.scene import Scene, office


def lived() -> Scene:
    """Files of three sessions: one goes on, with an upload; one is over, one erased."""
    scene = office("ann", "bo", capacity=3)
    people.boss(scene)
    portal(scene)
    for name, to in (("kim", "ann"), ("joe", "bo"), ("eve", "ann")):
        scene.assign(name, to)
        share(scene, customer(name), f"of {name}", at=session_id(name))
    share(scene, ANN, "another")
    begin(scene, KIM, "on its way")
    for name in ("joe", "eve"):
        scene.end(session_id(name))
    heads = scene.desk.state.streams
    gathered = Gathered((heads[f"session:{session_id('eve')}"], heads.get(f"session:{session_id('eve')}:staff", 0)))
    scene.ok(ops.CaseDelete(case_id("eve")), manager("mia"), prepared=gathered)
    return scene


def reader(scene: Scene) -> Read:
    """Its records as a journal has them."""
    records = [
        Record(seq, one.event.TYPE, one.event.VERSION, one.t, pack_value(e.pack_body(one.event)), one.entries)
        for seq, one in enumerate(scene.records, 1)
    ]

    def read(after: int, limit: int) -> Sequence[Record]:
        return records[after : after + limit]

    return read


@pytest.mark.parametrize("page", [1, 7, 500])
def test_it_is_what_the_desk_knows(page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", page)
    scene = lived()
    found = shared_files(reader(scene))
    known = scene.desk.state.files
    shared = {name: Shared(name, one.size, one.sha256 or "") for name, one in known.items() if one.until is None}
    assert found == shared
    assert set(found) == {file_id(name) for name in ("of kim", "of joe", "another")}
    assert found[file_id("another")].size == len(PNG)


def test_a_record_of_a_later_release_is_refused() -> None:
    later = Record(1, e.FileShared.TYPE, e.FileShared.VERSION + 1, 0, pack_value(()), ())
    with pytest.raises(ValueError, match="unknown to this release"):
        shared_files(lambda after, limit: [later][after:])
