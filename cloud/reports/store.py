"""SQL of the pages that show money and sites: reads the slices' `report_*` views only. Projects are ids; amounts in fen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cloud.shared.db import Tx

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of receipts shows: business dates both included; `text` is part of a number, an object or a plate."""

    projects: Sequence[int]
    first: date
    last: date
    tender: str | None = None
    kind: str | None = None
    cashier: str | None = None
    text: str | None = None
    shift: int | None = None


async def takings(tx: Tx, projects: Sequence[int], day: date) -> list[Row]:
    """project_id, tender, amount_fen, receipts (counted once) of a business date."""
    return await tx.fetch_all(
        """
        SELECT project_id, tender, sum(amount_fen)::bigint AS amount_fen, count(*) FILTER (WHERE line = 1) AS receipts
        FROM report_receipts WHERE business_date = %s AND project_id = ANY(%s) GROUP BY project_id, tender
        """,
        (day, list(projects)),
    )


async def taken_until(tx: Tx, projects: Sequence[int], day: date, until: datetime) -> int:
    """What was taken on a business date up to an instant."""
    row = await tx.fetch_one(
        """
        SELECT coalesce(sum(amount_fen), 0)::bigint AS fen FROM report_receipts
        WHERE business_date = %s AND project_id = ANY(%s) AND at <= %s
        """,
        (day, list(projects), until),
    )
    assert row is not None
    return int(row["fen"])


async def hours(tx: Tx, projects: Sequence[int], days: Sequence[date]) -> list[Row]:
    """business_date, hour (civil, of the booking time), amount_fen."""
    return await tx.fetch_all(
        """
        SELECT business_date, extract(hour FROM at AT TIME ZONE 'Asia/Shanghai')::int AS hour,
               sum(amount_fen)::bigint AS amount_fen
        FROM report_receipts WHERE business_date = ANY(%s) AND project_id = ANY(%s) GROUP BY 1, 2
        """,
        (list(days), list(projects)),
    )


async def drawers(tx: Tx, projects: Sequence[int]) -> list[Row]:
    return await tx.fetch_all(
        """
        SELECT project_id, kind, shift_id, holder, holder_name, terminal, opened_at, float_fen, cash_fen
        FROM report_drawers WHERE project_id = ANY(%s) ORDER BY project_id, kind, terminal
        """,
        (list(projects),),
    )


async def suspense(tx: Tx, projects: Sequence[int]) -> list[Row]:
    return await tx.fetch_all(
        "SELECT project_id, ref, since, amount_fen FROM report_suspense WHERE project_id = ANY(%s) ORDER BY since",
        (list(projects),),
    )


async def entries(tx: Tx, projects: Sequence[int]) -> int:
    """How many ledger entries the figures rest on."""
    row = await tx.fetch_one(
        "SELECT coalesce(sum(seq), 0)::bigint AS n FROM report_heads WHERE project_id = ANY(%s)", (list(projects),)
    )
    assert row is not None
    return int(row["n"])


async def latest(tx: Tx, projects: Sequence[int], limit: int) -> list[Row]:
    """The last receipts in the order the hub learned of them."""
    return await tx.fetch_all(
        "SELECT * FROM report_receipts WHERE project_id = ANY(%s) ORDER BY ref DESC LIMIT %s", (list(projects), limit)
    )


def _where(wanted: Filter) -> tuple[str, list[Any]]:
    parts = ["project_id = ANY(%s)", "business_date BETWEEN %s AND %s"]
    values: list[Any] = [list(wanted.projects), wanted.first, wanted.last]
    exact = (("tender", wanted.tender), ("kind", wanted.kind), ("cashier", wanted.cashier), ("shift_id", wanted.shift))
    for column, value in exact:
        if value is not None:
            parts.append(f"{column} = %s")
            values.append(value)
    if wanted.text:
        plain = wanted.text.replace("·", "").replace(" ", "")
        parts.append("(strpos(upper(object), upper(%s)) > 0 OR book || lpad(number::text, 7, '0') LIKE '%%' || upper(%s))")
        values += [plain, plain]
    return " AND ".join(parts), values


async def receipts(tx: Tx, wanted: Filter, before: int | None, limit: int) -> list[Row]:
    """A page of a list, newest first; `before` is the `ref` of the last row of the page before."""
    where, values = _where(wanted)
    if before is not None:
        where += " AND ref < %s"
        values.append(before)
    return await tx.fetch_all(f"SELECT * FROM report_receipts WHERE {where} ORDER BY ref DESC LIMIT %s", (*values, limit))


async def receipts_total(tx: Tx, wanted: Filter) -> tuple[int, int]:
    """(receipts, fen) of the whole filter."""
    where, values = _where(wanted)
    row = await tx.fetch_one(
        f"""
        SELECT count(DISTINCT ref / 16) AS n, coalesce(sum(amount_fen), 0)::bigint AS fen FROM report_receipts WHERE {where}
        """,
        tuple(values),
    )
    assert row is not None
    return int(row["n"]), int(row["fen"])


async def boxes(tx: Tx, projects: Sequence[int]) -> list[Row]:
    return await tx.fetch_all(
        """
        SELECT box, project_id, claimed_at, state, last_seen, clock, health, queue, quarantined_at, quarantine_reason, refused
        FROM report_boxes WHERE project_id = ANY(%s) ORDER BY project_id, box
        """,
        (list(projects),),
    )


async def set_today(tx: Tx, day: date) -> None:
    """The business date that the views of sites count by: the hub's Clock, not the database's."""
    await tx.fetch_one("SELECT set_config('app.today', %s, true)", (day.isoformat(),))


async def lanes(tx: Tx, projects: Sequence[int]) -> list[Row]:
    """Lanes as they stand (after `set_today`)."""
    return await tx.fetch_all(
        """
        SELECT project_id, box, lane, name, direction, last_passage_at, last_plate, last_category, last_stroke_reason,
               strokes_today, unexplained_today, manual_today, due_fen, due_plate, due_at, state
        FROM report_lanes WHERE project_id = ANY(%s) ORDER BY project_id, lane
        """,
        (list(projects),),
    )


Cursor = tuple[datetime, str, str, int]
"""Where a list of passages goes on: received_at, box, epoch, seq of the last row shown."""


async def passages(tx: Tx, projects: Sequence[int], limit: int, before: Cursor | None = None) -> list[Row]:
    """The last passages, as the hub learned of them; `picture`: SHA-256 of a thumbnail that is here."""
    older = "AND (received_at, box, epoch, seq) < (%s, %s, %s, %s)" if before else ""
    return await tx.fetch_all(
        f"""
        SELECT project_id, box, epoch, seq, lane, lane_name, direction, plate, plate_read, plate_colour, category, entered_at,
               fee_fen, paid_fen, at, received_at, picture
        FROM report_passage_pictures WHERE project_id = ANY(%s) {older}
        ORDER BY received_at DESC, box DESC, epoch DESC, seq DESC LIMIT %s
        """,
        (list(projects), *(before or ()), limit),
    )


async def unexplained(tx: Tx, projects: Sequence[int], since: datetime) -> list[Row]:
    """Strokes without a reason since an instant, by lane: how many, the last one."""
    return await tx.fetch_all(
        """
        SELECT project_id, lane, lane_name, count(*) AS n, max(at) AS at FROM report_strokes
        WHERE reason = 'none' AND at >= %s AND project_id = ANY(%s)
        GROUP BY project_id, lane, lane_name ORDER BY max(at) DESC
        """,
        (since, list(projects)),
    )


async def quote_differences(tx: Tx, projects: Sequence[int], since: datetime) -> list[Row]:
    """Fees that the hub prices otherwise than the box, by project."""
    return await tx.fetch_all(
        """
        SELECT project_id, count(*) AS n, max(at) AS at FROM report_quote_differences
        WHERE at >= %s AND project_id = ANY(%s) GROUP BY project_id
        """,
        (since, list(projects)),
    )


async def readings_today(tx: Tx, projects: Sequence[int]) -> list[Row]:
    """What the meters of each project told today (after `set_today`)."""
    return await tx.fetch_all(
        """
        SELECT project_id, readings, meters_read, to_review, last_at, meters, planned, rounds, meters_missing
        FROM report_readings_today WHERE project_id = ANY(%s) ORDER BY project_id
        """,
        (list(projects),),
    )


async def registers(tx: Tx, projects: Sequence[int], after: str, limit: int) -> list[Row]:
    """The newest reading of each register, by meter number; `after` is the `place` of the last row shown."""
    return await tx.fetch_all(
        """
        SELECT *, meter || ' ' || quantity || ' ' || coalesce(tariff, 0) AS place
        FROM report_latest_readings
        WHERE project_id = ANY(%s) AND meter || ' ' || quantity || ' ' || coalesce(tariff, 0) > %s ORDER BY place LIMIT %s
        """,
        (list(projects), after, limit),
    )
