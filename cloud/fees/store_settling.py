"""SQL of what settles a charge line: payments, discounts, waivers, and their taking back; disputes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from cloud.shared.db import Tx


@dataclass(frozen=True, slots=True)
class Settled:
    """One amount that settled a line on a business day; kind is payment, discount or waiver.

    reversed_on  it counts until the day before (Q-63)
    """

    id: int
    line_id: int
    day: date
    kind: str
    principal_fen: int
    late_fee_fen: int
    reversed_on: date | None


async def of_lines(tx: Tx, lines: Sequence[int]) -> list[Settled]:
    """Everything that ever settled these lines, oldest first."""
    rows = await tx.fetch_all(
        """
        SELECT p.id, p.line_id, p.day, p.kind, p.principal_fen, p.late_fee_fen, r.day AS reversed_on
        FROM charge_payments p LEFT JOIN charge_payments r ON r.reverses = p.id
        WHERE p.line_id = ANY(%s) AND p.reverses IS NULL ORDER BY p.line_id, p.id
        """,
        (list(lines),),
    )
    return [Settled(**row) for row in rows]


async def of_source(tx: Tx, project_id: int, source: str) -> list[Settled]:
    """What one ledger entry settled and nobody took back yet; its lines locked in one order."""
    rows = await tx.fetch_all(
        """
        SELECT p.id, p.line_id, p.day, p.kind, p.principal_fen, p.late_fee_fen, NULL::date AS reversed_on
        FROM charge_payments p JOIN charge_lines c ON c.id = p.line_id
        WHERE p.project_id = %s AND p.source = %s AND p.reverses IS NULL
          AND NOT EXISTS (SELECT FROM charge_payments r WHERE r.reverses = p.id)
        ORDER BY c.id FOR UPDATE OF c
        """,
        (project_id, source),
    )
    return [Settled(**row) for row in rows]


async def add(tx: Tx, kind: str, rows: Sequence[tuple[int, int, int, int | None]], *, day: date, source: str) -> None:
    """Rows of (line, principal fen, late fee fen, id of the row they take back or None)."""
    await tx.execute(
        """
        INSERT INTO charge_payments (company_id, project_id, line_id, day, kind, principal_fen, late_fee_fen, source, reverses)
        SELECT c.company_id, c.project_id, c.id, %s, %s, s.principal, s.late, %s, s.reverses
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) AS s (line, principal, late, reverses)
        JOIN charge_lines c ON c.id = s.line
        """,
        (day, kind, source, *([row[column] for row in rows] for column in range(4))),
    )


async def restate(tx: Tx, rows: Sequence[tuple[int, int, int, int, int]]) -> None:
    """Set (line, paid, late fee demanded, late fee paid, discount) of each line; the status follows."""
    await tx.execute(
        """
        UPDATE charge_lines c SET paid_fen = s.paid, late_fee_fen = s.late, late_paid_fen = s.late_paid,
            discount_fen = s.discount,
            status = CASE WHEN s.paid = c.amount_fen + s.late - s.discount THEN 'paid' WHEN s.paid = 0 THEN 'open' ELSE 'part' END
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
            AS s (id, paid, late, late_paid, discount)
        WHERE c.id = s.id
        """,
        tuple([row[column] for row in rows] for column in range(5)),
    )


async def disputed(tx: Tx, lines: Sequence[int]) -> dict[int, list[tuple[date, date | None]]]:
    """line -> spans [from, to) in which it was or is disputed."""
    rows = await tx.fetch_all(
        "SELECT line_id, from_day, to_day FROM charge_disputes WHERE line_id = ANY(%s) ORDER BY from_day", (list(lines),)
    )
    found: dict[int, list[tuple[date, date | None]]] = {}
    for row in rows:
        found.setdefault(row["line_id"], []).append((row["from_day"], row["to_day"]))
    return found


async def adjustments(tx: Tx, lines: Sequence[int]) -> dict[int, list[tuple[date, int]]]:
    """line -> (day, fen) of the adjustment lines that point at it and live, oldest first."""
    rows = await tx.fetch_all(
        """
        SELECT adjusts AS line_id, due_date AS day, amount_fen FROM charge_lines
        WHERE adjusts = ANY(%s) AND status NOT IN ('draft', 'cancelled') ORDER BY due_date, id
        """,
        (list(lines),),
    )
    found: dict[int, list[tuple[date, int]]] = {}
    for row in rows:
        found.setdefault(row["line_id"], []).append((row["day"], row["amount_fen"]))
    return found


async def open_dispute(tx: Tx, line: int, from_day: date, reason: str, by: str, at: datetime) -> bool:
    """False: the line is disputed already."""
    row = await tx.fetch_one(
        """
        INSERT INTO charge_disputes (company_id, project_id, line_id, from_day, reason, by, at)
        SELECT company_id, project_id, id, %s, %s, %s, %s FROM charge_lines WHERE id = %s
        ON CONFLICT DO NOTHING RETURNING id
        """,
        (from_day, reason, by, at, line),
    )
    return row is not None


async def end_dispute(tx: Tx, line: int, to_day: date) -> bool:
    """False: the line is not disputed. A dispute that ends on the day it began never was."""
    return bool(
        await tx.execute(
            "UPDATE charge_disputes SET to_day = greatest(%s, from_day + 1) WHERE line_id = %s AND to_day IS NULL", (to_day, line)
        )
    )


async def settling_faults(tx: Tx) -> list[tuple[int, int, str]]:
    """(project, seq of the last entry that settled it, detail) of lines that do not say what settled them, or were settled by
    what the ledger does not say."""
    rows = await tx.fetch_all(
        """
        SELECT c.project_id, c.id, c.paid_fen + c.discount_fen AS line_fen, coalesce(p.fen, 0)::bigint AS settled_fen,
               coalesce(l.fen, 0)::bigint AS ledger_fen, coalesce(l.seq, 0) AS seq
        FROM charge_lines c
        LEFT JOIN (SELECT line_id, sum(principal_fen + late_fee_fen) AS fen,
                          sum(late_fee_fen) FILTER (WHERE kind = 'waiver') AS waived
                   FROM charge_payments GROUP BY line_id) p ON p.line_id = c.id
        LEFT JOIN (SELECT g.project_id, split_part(g.ref, ':', 2)::bigint AS line, -sum(g.amount_fen) AS fen, max(e.seq) AS seq
                   FROM ledger_postings g JOIN ledger_entries e ON e.id = g.entry_id
                   WHERE g.root IN ('receivable', 'late_fee') AND g.ref LIKE 'line:%%' GROUP BY 1, 2) l
            ON l.project_id = c.project_id AND l.line = c.id
        WHERE c.status <> 'cancelled' AND coalesce(p.fen, 0) <> coalesce(l.fen, 0)
           OR c.paid_fen + c.discount_fen <> coalesce(p.fen, 0) - coalesce(p.waived, 0)
        ORDER BY c.project_id, c.id
        """,
        (),
    )
    return [
        (
            row["project_id"],
            row["seq"],
            f"charge line {row['id']} says {row['line_fen']} fen settled, its payments {row['settled_fen']},"
            f" the ledger {row['ledger_fen']}",
        )
        for row in rows
    ]
