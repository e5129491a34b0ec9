"""SQL of erasing a person: what is open of theirs, what holds their name."""

from __future__ import annotations

from typing import Any

from cloud.shared.db import Tx

_THEIRS = """
    (f.subject IN (SELECT 'wallet:' || w.id FROM wallets w WHERE w.owner_id = %(owner)s)
     OR f.subject IN (SELECT 'deposit:' || d.id FROM deposits d WHERE d.payer_id = %(owner)s)
     OR f.subject IN (SELECT 'receipt:' || r.id FROM receipts r JOIN ledger_personal p ON p.entry_id = r.entry_id
                      WHERE p.subject = 'owner:' || %(owner)s AND r.project_id = %(project)s))
"""


async def open_things(tx: Tx, project_id: int, owner_id: int) -> dict[str, Any]:
    """Fen in an owner's own wallets and deposits, refunds not paid out yet, requests that wait for them."""
    row = await tx.fetch_one(
        f"""
        SELECT (SELECT coalesce(sum(balance_fen), 0)::bigint FROM wallets WHERE owner_id = %(owner)s) AS wallets,
               (SELECT coalesce(sum(balance_fen), 0)::bigint FROM deposits WHERE payer_id = %(owner)s) AS deposits,
               (SELECT coalesce(sum(amount_fen), 0)::bigint FROM refunds f
                WHERE f.project_id = %(project)s AND f.state = 'approved' AND {_THEIRS}) AS refunds,
               (SELECT count(*) FROM approvals WHERE project_id = %(project)s AND state = 'waiting'
                AND beneficiary = 'owner:' || %(owner)s) AS approvals
        """,
        {"owner": owner_id, "project": project_id},
    )
    assert row is not None
    return row


async def named(tx: Tx, project_id: int, owner_id: int) -> dict[str, int]:
    """How many entries of the ledger, paid refunds and approvals hold their name."""
    row = await tx.fetch_one(
        f"""
        SELECT (SELECT count(*) FROM ledger_personal WHERE subject = 'owner:' || %(owner)s) AS entries,
               (SELECT count(*) FROM refunds f WHERE f.project_id = %(project)s AND {_THEIRS}) AS refunds,
               (SELECT count(*) FROM approvals
                WHERE project_id = %(project)s AND beneficiary = 'owner:' || %(owner)s) AS approvals
        """,
        {"owner": owner_id, "project": project_id},
    )
    assert row is not None
    return {name: int(row[name]) for name in ("entries", "refunds", "approvals")}


async def forget_refunds(tx: Tx, project_id: int, owner_id: int, name: str, pseudonym: str) -> int:
    """The pseudonym in place of their name on paid refunds, their account gone; how many. Before the ledger's names go."""
    return await tx.execute(
        f"""
        UPDATE refunds f SET payer_name = %(pseudonym)s,
            payee_account = CASE WHEN payee_name = %(name)s THEN '' ELSE payee_account END,
            payee_name = CASE WHEN payee_name = %(name)s THEN %(pseudonym)s ELSE payee_name END
        WHERE f.project_id = %(project)s AND f.state = 'paid' AND {_THEIRS}
        """,
        {"owner": owner_id, "project": project_id, "name": name, "pseudonym": pseudonym},
    )
