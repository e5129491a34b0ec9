"""SQL of fee items and charge lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from cloud.fees.domain import Item, Line, NewLine
from cloud.shared.db import Tx

_LINE = """
    SELECT c.id, c.project_id, c.room_id, c.object, c.payer_id, c.period_from, c.period_to, c.formula, c.amount_fen,
           c.late_fee_fen, c.late_paid_fen, c.discount_fen, c.paid_fen, c.due_date, c.status, c.late_policy, c.adjusts, c.steps,
           i.code, i.name, i.category, i.held_for_others, i.part_payment, i.allocation_priority, i.print_order, i.wallet_purpose,
           EXISTS (SELECT FROM charge_disputes d WHERE d.line_id = c.id AND d.to_day IS NULL) AS disputed
    FROM charge_lines c JOIN fee_items i ON i.id = c.item_id
"""


async def put_items(tx: Tx, company_id: int, items: Sequence[Item]) -> None:
    """Add the items whose codes the company does not have yet."""
    await tx.execute(
        """
        INSERT INTO fee_items (company_id, code, name, category, held_for_others, part_payment, allocation_priority, print_order,
                               wallet_purpose)
        SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::text[], %s::boolean[], %s::boolean[], %s::int[], %s::int[],
                                 %s::text[])
        ON CONFLICT (company_id, code) DO NOTHING
        """,
        (
            company_id,
            [item.code for item in items],
            [item.name for item in items],
            [item.category for item in items],
            [item.held_for_others for item in items],
            [item.part_payment for item in items],
            [item.allocation_priority for item in items],
            [item.print_order for item in items],
            [item.wallet_purpose for item in items],
        ),
    )


async def items(tx: Tx, company_id: int) -> dict[str, tuple[int, Item]]:
    """code -> (id, item) of a company's active items."""
    rows = await tx.fetch_all(
        """
        SELECT id, code, name, category, held_for_others, part_payment, allocation_priority, print_order, wallet_purpose
        FROM fee_items WHERE company_id = %s AND active
        """,
        (company_id,),
    )
    return {row["code"]: (row["id"], _item(row)) for row in rows}


async def kept(tx: Tx, project_id: int, line: int) -> dict[str, Any] | None:
    """What a line was calculated from and what came out: inputs, steps, amount_fen, period_from, period_to."""
    return await tx.fetch_one(
        "SELECT inputs, steps, amount_fen, period_from, period_to FROM charge_lines WHERE project_id = %s AND id = %s",
        (project_id, line),
    )


async def charged_through(tx: Tx, assignment_ids: Sequence[int]) -> dict[int, date]:
    """assignment -> the day after the last one it was charged for."""
    rows = await tx.fetch_all(
        """
        SELECT assignment_id, max(period_to) AS through FROM charge_lines
        WHERE assignment_id = ANY(%s) AND status <> 'cancelled' AND adjusts IS NULL GROUP BY assignment_id
        """,
        (list(assignment_ids),),
    )
    return {row["assignment_id"]: row["through"] for row in rows}


async def next_batch(tx: Tx) -> int:
    row = await tx.fetch_one("SELECT nextval('charge_batches') AS batch", ())
    assert row is not None
    return int(row["batch"])


async def add_lines(
    tx: Tx,
    company_id: int,
    project_id: int,
    batch: int,
    lines: Sequence[NewLine],
    item_ids: dict[str, int],
    at: datetime,
    by: str,
) -> list[tuple[str, int]]:
    """Insert what is not there yet (F-09); (item code, amount) of each new line."""
    rows = await tx.fetch_all(
        """
        WITH added AS (
            INSERT INTO charge_lines (company_id, project_id, batch, created_at, created_by, item_id, room_id, object, payer_id,
                                      period_from, period_to, formula, amount_fen, due_date, quantity, unit_price)
            SELECT %s, %s, %s, %s, %s, *
            FROM unnest(%s::int[], %s::int[], %s::text[], %s::int[], %s::date[], %s::date[], %s::text[], %s::bigint[], %s::date[],
                        %s::numeric[], %s::numeric[])
            ON CONFLICT (project_id, item_id, object, period_from, period_to) WHERE status <> 'cancelled' AND adjusts IS NULL
                DO NOTHING
            RETURNING item_id, amount_fen)
        SELECT i.code, a.amount_fen FROM added a JOIN fee_items i ON i.id = a.item_id
        """,
        (
            company_id,
            project_id,
            batch,
            at,
            by,
            [item_ids[line.item] for line in lines],
            [line.room_id for line in lines],
            [line.object for line in lines],
            [line.payer_id for line in lines],
            [line.period_from for line in lines],
            [line.period_to for line in lines],
            [line.formula for line in lines],
            [line.amount_fen for line in lines],
            [line.due_date for line in lines],
            [line.quantity for line in lines],
            [line.unit_price for line in lines],
        ),
    )
    return [(row["code"], row["amount_fen"]) for row in rows]


async def missing(tx: Tx, project_id: int, lines: Sequence[NewLine]) -> int:
    """How many of these lines do not live yet (F-09)."""
    row = await tx.fetch_one(
        """
        SELECT count(*) AS n FROM unnest(%s::text[], %s::text[], %s::date[], %s::date[]) AS n (item, object, start, finish)
        WHERE NOT EXISTS (
            SELECT FROM charge_lines c JOIN fee_items i ON i.id = c.item_id
            WHERE c.project_id = %s AND i.code = n.item AND c.object = n.object AND c.period_from = n.start
              AND c.period_to = n.finish AND c.status <> 'cancelled' AND c.adjusts IS NULL)
        """,
        (
            [line.item for line in lines],
            [line.object for line in lines],
            [line.period_from for line in lines],
            [line.period_to for line in lines],
            project_id,
        ),
    )
    assert row is not None
    return int(row["n"])


async def batch_digest(tx: Tx, batch: int) -> str:
    row = await tx.fetch_one("SELECT charge_batch_digest(%s) AS digest", (batch,))
    assert row is not None
    return str(row["digest"])


async def open_of_room(tx: Tx, project_id: int, room_id: int) -> list[Line]:
    rows = await tx.fetch_all(
        _LINE + " WHERE c.project_id = %s AND c.room_id = %s AND c.status IN ('open', 'part')", (project_id, room_id)
    )
    return [_line(row) for row in rows]


async def open_of_payer(tx: Tx, project_id: int, payer_id: int) -> list[Line]:
    rows = await tx.fetch_all(
        _LINE + " WHERE c.project_id = %s AND c.payer_id = %s AND c.status IN ('open', 'part')", (project_id, payer_id)
    )
    return [_line(row) for row in rows]


async def open_of_rooms(tx: Tx, project_id: int, room_ids: Sequence[int] | None) -> list[Line]:
    rows = await tx.fetch_all(
        _LINE + " WHERE c.project_id = %s AND (%s::int[] IS NULL OR c.room_id = ANY(%s)) AND c.status IN ('open', 'part')",
        (project_id, room_ids and list(room_ids), room_ids and list(room_ids)),
    )
    return [_line(row) for row in rows]


async def lock(tx: Tx, project_id: int, ids: Sequence[int]) -> list[Line]:
    """Lines by number, locked in one order until the transaction ends."""
    rows = await tx.fetch_all(
        _LINE + " WHERE c.project_id = %s AND c.id = ANY(%s) ORDER BY c.id FOR UPDATE OF c", (project_id, list(ids))
    )
    return [_line(row) for row in rows]


async def lines(tx: Tx, ids: Sequence[int]) -> list[Line]:
    """Lines by number as they stand, unlocked, whatever their status."""
    return [_line(row) for row in await tx.fetch_all(_LINE + " WHERE c.id = ANY(%s) ORDER BY c.id", (list(ids),))]


async def bill_faults(tx: Tx) -> list[tuple[int, int, str]]:
    """(project, ledger seq, detail) of bills whose lines are not those that were posted."""
    rows = await tx.fetch_all(
        """
        SELECT e.project_id, e.seq, count(c.id) AS lines, (e.body::jsonb ->> 'lines')::bigint AS billed
        FROM ledger_entries e LEFT JOIN charge_lines c
            ON c.batch = (e.body::jsonb ->> 'batch')::bigint AND c.project_id = e.project_id
        WHERE e.kind = 'bill'
        GROUP BY e.id HAVING charge_batch_digest((e.body::jsonb ->> 'batch')::bigint) <> e.body::jsonb ->> 'digest'
        ORDER BY e.project_id, e.seq
        """,
        (),
    )
    return [
        (
            row["project_id"],
            row["seq"],
            f"its charge lines were changed: {row['lines']} of {row['billed']} are there",
        )
        for row in rows
    ]


def _item(row: dict[str, Any]) -> Item:
    return Item(
        code=row["code"],
        name=row["name"],
        category=row["category"],
        held_for_others=row["held_for_others"],
        part_payment=row["part_payment"],
        allocation_priority=row["allocation_priority"],
        print_order=row["print_order"],
        wallet_purpose=row["wallet_purpose"],
    )


def _line(row: dict[str, Any]) -> Line:
    return Line(
        id=row["id"],
        project_id=row["project_id"],
        item=_item(row),
        room_id=row["room_id"],
        object=row["object"],
        payer_id=row["payer_id"],
        period_from=row["period_from"],
        period_to=row["period_to"],
        formula=row["formula"],
        amount_fen=row["amount_fen"],
        late_fee_fen=row["late_fee_fen"],
        discount_fen=row["discount_fen"],
        paid_fen=row["paid_fen"],
        due_date=row["due_date"],
        status=row["status"],
        late_paid_fen=row["late_paid_fen"],
        late_policy=row["late_policy"],
        adjusts=row["adjusts"],
        steps=tuple(row["steps"]),
        disputed=row["disputed"],
    )
