"""The audit finds whatever does not agree."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from sqlalchemy import text

from openhearth.platform.ledger.check import faults


class Undone(Exception):
    """Takes back what was tampered with."""


TAMPERED = {
    "UPDATE ledger_accounts SET posted = posted + 5 WHERE id = 'revenue'": "together are worth 5",
    "UPDATE ledger_accounts SET pending = 3 WHERE id = 'wallet:org_a'": "has set apart 3",
    "UPDATE ledger_holds SET amount = 7 WHERE request_id = 'open'": "should 7",
    "UPDATE ledger_transfers SET amount = 41 WHERE kind = 'charge'": "wallet:org_a is worth",
    "DELETE FROM ledger_transfers WHERE kind = 'charge'": "r1 has a receipt of 40, but should 0",
    "DELETE FROM ledger_lines": "r1 has a receipt of 40, but should 0",
    "UPDATE ledger_receipts SET total = 80": "r1 has a receipt of 80, but should 40",
    "UPDATE ledger_spending SET spent = 9": "key_a has spent 9, but should 40",
    "UPDATE ledger_spending SET held = 9": "key_a holds 9, but should 60",
}


@pytest.mark.parametrize("statement", TAMPERED)
def test_what_was_tampered_with_is_found(statement: str, books: Any, other: Any) -> None:
    other.grant(1000)
    other.hold("r1", 100)
    other.settle("r1", {"output": 1})
    other.hold("open", 60)
    other.check()

    with contextlib.suppress(Undone), other.database.writing() as connection:
        connection.execute(text(statement))
        found = faults(connection)
        assert any(TAMPERED[statement] in fault for fault in found), found
        raise Undone
