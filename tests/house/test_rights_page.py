"""docs/reference/rights.md says of every operation, right and scope what the table says."""

from __future__ import annotations

import pytest

from broker.desk.grants import GRANTABLE, KINDS, RIGHTS, SCOPES, Grant, Scope
from broker.protocol import ops
from scripts.render_rights import ALLOWED, CELLS, GRANTED, MEANINGS, page

ROWS = [line for line in page().splitlines() if line.startswith("| `")]


def test_every_operation_right_and_scope_has_a_row() -> None:
    wanted = [*ops.OPS, *(right for rights in GRANTABLE.values() for right in rights), *SCOPES]
    assert sorted(row.split("`")[1] for row in ROWS) == sorted(wanted)
    assert set(GRANTED) == {right for rights in GRANTABLE.values() for right in rights}
    assert set(ALLOWED) == set(SCOPES)
    assert set(CELLS) == set(MEANINGS) == set(Scope)


@pytest.mark.parametrize("op", sorted(ops.OPS))
def test_a_row_says_what_the_table_says(op: str) -> None:
    (row,) = (line for line in page().splitlines() if line.startswith(f"| `{op}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")][1:]
    for kind, cell in zip(KINDS, cells, strict=True):
        grant = RIGHTS[op].get(kind)
        assert bool(cell) == (grant is not None)
        if grant is not None:
            assert cell.startswith(CELLS[grant.scope])
            assert (f"`{grant.right}`" in cell) == (grant.right is not None)


def test_a_changed_table_makes_another_page(monkeypatch: pytest.MonkeyPatch) -> None:
    before = page()
    monkeypatch.setitem(RIGHTS, "manager.put", {**RIGHTS["manager.put"], "team_manager": Grant(Scope.TEAMS, "teams")})
    assert page() != before
