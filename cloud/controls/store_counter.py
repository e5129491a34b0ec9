"""SQL of the rules of the counter: voids, numbers, books, prints, clocks; views `report_*` and this slice's own tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cloud.shared.db import Tx

Row = dict[str, Any]


async def cash_voids(tx: Tx, first: datetime, last: datetime) -> list[Row]:
    """Printed cash receipts voided in (first, last], each with what its room got receipts for in the minutes after: `replaced` is
    a list of {at, fen}; a receipt moved to another room stands in for itself.
    """
    return await tx.fetch_all(
        """
        SELECT v.*, a.requester_number, a.requester_name, a.terminal AS asked_terminal, a.requested_at, a.decided_number,
               a.decided_name, d.terminal AS decided_terminal,
               coalesce((SELECT jsonb_agg(jsonb_build_object('at', n.at, 'fen', n.total_fen))
                         FROM report_counter_control_numbers n
                         WHERE n.project_id = v.project_id AND n.receipt_id > v.receipt_id AND n.reverses IS NULL
                           AND n.object = v.object AND n.room_id IS NOT DISTINCT FROM v.room_id), '[]') AS replaced
        FROM report_counter_control_cash_voids v
        LEFT JOIN report_access_control_approvals a ON a.approval_id = v.approval_id
        LEFT JOIN LATERAL (SELECT terminal FROM report_access_control_decisions d WHERE d.approval_id = v.approval_id
                           ORDER BY d.step DESC LIMIT 1) d ON true
        WHERE v.at > %s AND v.at <= %s AND v.arrived_at > %s::timestamptz - interval '1 day'
          AND v.cash_fen > 0 AND v.prints > 0 AND v.replaced_by IS NULL
        """,
        (first, last, first),
    )


async def voids_of(tx: Tx, cashier: str, since: datetime) -> tuple[int, float]:
    """How many receipts a cashier had voided since then, and the average of all who had any receipt."""
    row = await tx.fetch_one(
        """
        SELECT count(*) FILTER (WHERE cashier = %s AND reverses IS NOT NULL) AS own,
               count(*) FILTER (WHERE reverses IS NOT NULL)::float / greatest(count(DISTINCT cashier), 1) AS average
        FROM report_counter_control_numbers WHERE arrived_at >= %s AND book_kind = 'counter'
        """,
        (cashier, since),
    )
    return (int(row["own"]), float(row["average"])) if row else (0, 0.0)


async def decisions(tx: Tx, since: datetime) -> list[Row]:
    """Approvals given on the terminal of the request."""
    return await tx.fetch_all(
        """
        SELECT d.*, c.original_id, c.book, c.original_number
        FROM report_access_control_decisions d
        LEFT JOIN report_counter_control_cash_voids c ON c.approval_id = d.approval_id
        WHERE d.at > %s AND d.one_terminal
        """,
        (since,),
    )


async def gaps(tx: Tx, since: datetime) -> list[Row]:
    """Receipts whose number comes after one that is not there."""
    return await tx.fetch_all(
        """
        SELECT n.*, (SELECT max(p.number) FROM report_counter_control_numbers p
                     WHERE p.book_id = n.book_id AND p.number < n.number) AS before
        FROM report_counter_control_numbers n
        WHERE n.arrived_at > %s AND NOT n.follows AND n.book_kind <> 'paper'
        """,
        (since,),
    )


async def used_twice(tx: Tx, since: datetime) -> list[Row]:
    return await tx.fetch_all(
        "SELECT * FROM report_fleet_control_refused WHERE received_at > %s AND code = 'number_used'", (since,)
    )


async def counted_books(tx: Tx, since: datetime) -> list[Row]:
    """Books that were counted with another number of papers than was taken."""
    return await tx.fetch_all(
        """
        SELECT *, greatest(taken - first_number + 1, 0) AS used FROM report_counter_control_books
        WHERE state = 'counted' AND state_at > %s AND kind <> 'paper' AND counted_used <> greatest(taken - first_number + 1, 0)
        """,
        (since,),
    )


async def full_books(tx: Tx, before: datetime) -> list[Row]:
    """Books whose last number was taken before then, and that nobody returned."""
    return await tx.fetch_all(
        """
        SELECT * FROM report_counter_control_books
        WHERE state = 'open' AND last_number IS NOT NULL AND taken >= last_number AND last_at < %s
        """,
        (before,),
    )


async def reprinted(tx: Tx, first: datetime, last: datetime) -> list[Row]:
    """Receipts reprinted in a week: the highest print, by whom."""
    return await tx.fetch_all(
        """
        SELECT receipt_id, company_id, project_id, book, number, object, total_fen, max(n) AS n, max(at) AS at,
               array_agg(DISTINCT by_number) AS people
        FROM report_counter_control_prints WHERE n > 1 AND at > %s AND at <= %s
        GROUP BY receipt_id, company_id, project_id, book, number, object, total_fen
        """,
        (first, last),
    )


async def reprint_shares(tx: Tx, first: datetime, last: datetime) -> list[Row]:
    """By cashier: receipts of the week, and prints of them beyond the first."""
    return await tx.fetch_all(
        """
        SELECT r.company_id, r.project_id, r.cashier, max(r.cashier_name) AS cashier_name,
               count(DISTINCT r.receipt_id) AS receipts, count(p.n) AS again, max(p.at) AS at
        FROM report_counter_control_numbers r
        LEFT JOIN report_counter_control_prints p ON p.receipt_id = r.receipt_id AND p.n > 1
            AND p.at > %(first)s AND p.at <= %(last)s
        WHERE r.arrived_at > %(first)s AND r.arrived_at <= %(last)s AND r.book_kind = 'counter'
        GROUP BY r.company_id, r.project_id, r.cashier
        """,
        {"first": first, "last": last},
    )


async def clocks(tx: Tx, since: datetime) -> list[Row]:
    return await tx.fetch_all("SELECT * FROM terminal_clocks WHERE at > %s", (since,))


async def put_clock(tx: Tx, project_id: int, terminal: str, offset_ms: int, person: str, at: datetime) -> bool:
    """False outside the scope."""
    return bool(
        await tx.execute(
            """
            INSERT INTO terminal_clocks (project_id, terminal, company_id, offset_ms, person, at)
            SELECT p.id, %s, p.company_id, %s, %s, %s FROM projects p WHERE p.id = %s
            ON CONFLICT (project_id, terminal) DO UPDATE
                SET offset_ms = excluded.offset_ms, person = excluded.person, at = excluded.at
            """,
            (terminal, offset_ms, person, at, project_id),
        )
    )


async def jumps(tx: Tx, since: datetime) -> list[Row]:
    return await tx.fetch_all("SELECT * FROM report_fleet_control_clock_jumps WHERE received_at > %s", (since,))


async def cash_alarms(tx: Tx, since: datetime) -> list[Row]:
    """What the counter's own watch found: kind 'day_not_closed', 'cash_overdue'."""
    return await tx.fetch_all("SELECT * FROM report_counter_control_alarms WHERE at > %s", (since,))


async def long_shifts(tx: Tx, since: datetime) -> list[Row]:
    """Shifts the system ended because they were open too long, and drawers frozen because nobody took them over."""
    return await tx.fetch_all(
        """
        SELECT *, closed_by = 'system' AND closed_at > %(since)s AS too_long, frozen_at > %(since)s AS refused
        FROM report_counter_control_shifts
        WHERE closed_by = 'system' AND closed_at > %(since)s OR frozen_at > %(since)s
        """,
        {"since": since},
    )
