"""SQL of deposits, their inspections and movements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from cloud.shared.db import Tx
from cloud.wallets.accounts import Deposit, DepositMovement, Inspection

_STATE = """
    CASE WHEN d.balance_fen > 0 AND n.passed THEN 'inspected' WHEN d.balance_fen > 0 THEN 'held'
         WHEN EXISTS (SELECT FROM deposit_movements m JOIN deposit_movements o ON o.id = m.reverses
                      WHERE m.deposit_id = d.id AND o.kind = 'receive') THEN 'reversed'
         ELSE 'settled' END
"""
_FROM = """
    FROM deposits d JOIN fee_items i ON i.id = d.item_id
    LEFT JOIN LATERAL (SELECT passed FROM deposit_inspections x WHERE x.deposit_id = d.id ORDER BY x.id DESC LIMIT 1) n ON true
"""
_DEPOSIT = (
    """
    SELECT d.id, d.project_id, i.code AS item, i.name AS item_name, d.room_id, d.object, d.payer_id, d.purpose, d.condition,
           d.amount_fen, d.balance_fen, d.source, d.received_at, d.received_by, n.passed IS NOT NULL AS inspected,
"""
    + _STATE
    + " AS state"
    + _FROM
)
_INSPECTION = """
    SELECT id, deposit_id, on_day, passed, notes, photos, acknowledged_by, acknowledged_on, at, by, by_name
    FROM deposit_inspections
"""
_ORDERS = {"received_at": "d.received_at", "amount_fen": "d.amount_fen", "balance_fen": "d.balance_fen", "object": "d.object"}


async def item(tx: Tx, project_id: int, code: str) -> tuple[int, str] | None:
    """(id, category) of an active fee item of the project's company."""
    row = await tx.fetch_one(
        """
        SELECT i.id, i.category FROM fee_items i JOIN projects p ON p.company_id = i.company_id
        WHERE p.id = %s AND i.code = %s AND i.active
        """,
        (project_id, code),
    )
    return (row["id"], row["category"]) if row else None


async def items(tx: Tx, project_id: int, *, deposits: bool) -> dict[str, str]:
    """code -> name of the items that deposits are taken for, or of those that a deduction may be charged by."""
    rows = await tx.fetch_all(
        """
        SELECT i.code, i.name FROM fee_items i JOIN projects p ON p.company_id = i.company_id
        WHERE p.id = %s AND i.active AND (i.category = 'deposit') = %s AND i.category NOT IN ('prepayment', 'late_fee')
        ORDER BY i.print_order, i.code
        """,
        (project_id, deposits),
    )
    return {row["code"]: row["name"] for row in rows}


async def add(tx: Tx, project_id: int, item_id: int, facts: Mapping[str, object]) -> int | None:
    """A deposit without money yet; None when this source has made it before."""
    row = await tx.fetch_one(
        """
        INSERT INTO deposits (company_id, project_id, item_id, room_id, object, payer_id, purpose, condition, amount_fen,
                              balance_fen, source, received_at, received_by)
        SELECT company_id, id, %(item_id)s, %(room_id)s, %(object)s, %(payer_id)s, %(purpose)s, %(condition)s, %(amount_fen)s, 0,
               %(source)s, %(at)s, %(by)s
        FROM projects WHERE id = %(project_id)s
        ON CONFLICT (project_id, source, item_id, object) DO NOTHING RETURNING id
        """,
        {**facts, "project_id": project_id, "item_id": item_id},
    )
    return int(row["id"]) if row else None


async def of_source(tx: Tx, project_id: int, source: str, item_id: int, object: str) -> int | None:
    row = await tx.fetch_one(
        "SELECT id FROM deposits WHERE project_id = %s AND source = %s AND item_id = %s AND object = %s",
        (project_id, source, item_id, object),
    )
    return int(row["id"]) if row else None


async def by_id(tx: Tx, deposit_id: int, *, lock: bool = False) -> Deposit | None:
    row = await tx.fetch_one(_DEPOSIT + " WHERE d.id = %s" + (" FOR UPDATE OF d" if lock else ""), (deposit_id,))
    return Deposit(**row) if row else None


async def of_room(tx: Tx, project_id: int, room_id: int) -> list[Deposit]:
    rows = await tx.fetch_all(_DEPOSIT + " WHERE d.project_id = %s AND d.room_id = %s ORDER BY d.id", (project_id, room_id))
    return [Deposit(**row) for row in rows]


async def old(tx: Tx, projects: Sequence[int], before: datetime) -> list[Deposit]:
    """Still held, received before a time; oldest first (G-07)."""
    where = " WHERE d.project_id = ANY(%s) AND d.balance_fen > 0 AND d.received_at < %s ORDER BY d.received_at, d.id"
    return [Deposit(**row) for row in await tx.fetch_all(_DEPOSIT + where, (list(projects), before))]


async def move(
    tx: Tx, deposit_id: int, amount_fen: int, kind: str, source: str, facts: Mapping[str, object]
) -> tuple[str, int, str]:
    """`deposit_move`: (outcome, balance, item). `facts`: line, inspection, reverses, reason, at, by."""
    row = await tx.fetch_one(
        """
        SELECT outcome, balance, item
        FROM deposit_move(%(deposit)s, %(amount)s, %(kind)s, %(source)s, %(line)s, %(inspection)s, %(reverses)s, %(reason)s,
                          %(at)s, %(by)s)
        """,
        {
            "line": None,
            "inspection": None,
            "reverses": None,
            "reason": "",
            **facts,
            "deposit": deposit_id,
            "amount": amount_fen,
            "kind": kind,
            "source": source,
        },
    )
    assert row is not None
    return row["outcome"], row["balance"], row["item"]


async def movements(tx: Tx, deposit_id: int) -> list[DepositMovement]:
    """Oldest first."""
    return await _movements(tx, " WHERE m.deposit_id = %s ORDER BY m.id", (deposit_id,))


async def movements_of_source(tx: Tx, project_id: int, source: str) -> list[DepositMovement]:
    """What one ledger entry moved and nobody took back yet, in the order in which deposits are locked."""
    where = """
        WHERE m.project_id = %s AND m.source = %s AND m.reverses IS NULL
          AND NOT EXISTS (SELECT FROM deposit_movements r WHERE r.reverses = m.id)
        ORDER BY m.deposit_id, m.id
    """
    return await _movements(tx, where, (project_id, source))


async def _movements(tx: Tx, where: str, params: Sequence[object]) -> list[DepositMovement]:
    rows = await tx.fetch_all(
        """
        SELECT m.id, m.deposit_id, m.kind, m.amount_fen, m.balance_fen, m.source, m.line_id, m.inspection_id, m.reverses,
               m.reason, m.at, m.by, e.id AS entry_id, e.seq AS entry_seq
        FROM deposit_movements m LEFT JOIN ledger_entries e ON e.project_id = m.project_id AND e.source = m.source
        """
        + where,
        params,
    )
    return [DepositMovement(**row) for row in rows]


async def add_inspection(tx: Tx, deposit_id: int, facts: Mapping[str, Any]) -> Inspection:
    row = await tx.fetch_one(
        """
        INSERT INTO deposit_inspections (company_id, project_id, deposit_id, on_day, passed, notes, photos, acknowledged_by,
                                         acknowledged_on, at, by, by_name, key)
        SELECT company_id, project_id, id, %(on_day)s, %(passed)s, %(notes)s, %(photos)s, %(acknowledged_by)s,
               %(acknowledged_on)s, %(at)s, %(by)s, %(by_name)s, %(key)s
        FROM deposits WHERE id = %(deposit_id)s
        ON CONFLICT (deposit_id, key) DO NOTHING
        RETURNING id, deposit_id, on_day, passed, notes, photos, acknowledged_by, acknowledged_on, at, by, by_name
        """,
        {**facts, "deposit_id": deposit_id},
    )
    row = row or await tx.fetch_one(_INSPECTION + " WHERE deposit_id = %s AND key = %s", (deposit_id, facts["key"]))
    assert row is not None
    return _inspection(row)


async def inspections(tx: Tx, deposit_id: int) -> list[Inspection]:
    """Newest first."""
    rows = await tx.fetch_all(_INSPECTION + " WHERE deposit_id = %s ORDER BY id DESC", (deposit_id,))
    return [_inspection(row) for row in rows]


def _inspection(row: dict[str, Any]) -> Inspection:
    return Inspection(**{**row, "photos": tuple(row["photos"])})


async def listed(tx: Tx, where: Mapping[str, Any], sort: str, descending: bool, limit: int) -> list[dict[str, Any]]:
    """Rows for the list page. `where`: projects, state, item, q, before (received before), after (sort value, id)."""
    order, way = _ORDERS.get(sort, "d.received_at"), "DESC" if descending else "ASC"
    go_on = f" AND ({order}, d.id) {'<' if descending else '>'} (%(after_value)s, %(after_id)s)" if where.get("after") else ""
    after = where.get("after") or (None, None)
    return await tx.fetch_all(
        f"SELECT * FROM ({_DEPOSIT.replace('SELECT d.id', 'SELECT o.name AS payer, p.name AS project, d.id', 1)}"
        f" JOIN projects p ON p.id = d.project_id LEFT JOIN owners o ON o.id = d.payer_id WHERE {_LISTED}{go_on}"
        f" ORDER BY {order} {way}, d.id {way}) found {_STATED} LIMIT %(limit)s",
        {**_facts(where), "after_value": after[0], "after_id": after[1], "limit": limit},
    )


async def listed_totals(tx: Tx, where: Mapping[str, Any]) -> tuple[int, int, int]:
    """(how many, received fen, held fen) of the whole filter."""
    row = await tx.fetch_one(
        f"""
        SELECT count(*) AS n, coalesce(sum(amount_fen), 0)::bigint AS amount, coalesce(sum(balance_fen), 0)::bigint AS balance
        FROM ({_DEPOSIT} LEFT JOIN owners o ON o.id = d.payer_id WHERE {_LISTED}) found {_STATED}
        """,
        _facts(where),
    )
    assert row is not None
    return row["n"], row["amount"], row["balance"]


_LISTED = """
    d.project_id = ANY(%(projects)s) AND (%(item)s::text IS NULL OR i.code = %(item)s)
    AND (%(before)s::timestamptz IS NULL OR d.received_at < %(before)s)
    AND (%(q)s::text IS NULL OR d.object ILIKE %(like)s OR o.name ILIKE %(like)s)
"""
_STATED = "WHERE %(state)s::text IS NULL OR state = %(state)s OR %(state)s = 'open' AND state IN ('held', 'inspected')"


def _facts(where: Mapping[str, Any]) -> dict[str, Any]:
    q = where.get("q")
    like = None if q is None else "%" + str(q).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    facts = {name: where.get(name) for name in ("state", "item", "before")}
    return {**facts, "projects": list(where["projects"]), "q": q, "like": like}


async def balance_on(tx: Tx, project_id: int, day: date) -> int:
    """What the ledger holds as deposits on a day, from the published view (V-09)."""
    row = await tx.fetch_one(
        "SELECT coalesce(sum(amount_fen), 0)::bigint AS fen FROM report_deposits WHERE project_id = %s AND business_date <= %s",
        (project_id, day),
    )
    assert row is not None
    return int(row["fen"])
