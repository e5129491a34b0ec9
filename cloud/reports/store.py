"""SQL of the pages that show money and sites: reads the slices' `report_*` views only. Projects are ids; amounts in fen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cloud.shared.db import Tx
from protocols.plate import normalise, shown

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list of receipts shows: business dates both included.

    text     an object (room, plate) or a number as printed, `whole`; or a part of an object
    upwards  the oldest first
    """

    projects: Sequence[int]
    first: date
    last: date
    tender: str | None = None
    kind: str | None = None
    cashier: str | None = None
    text: str | None = None
    shift: int | None = None
    whole: bool = False
    upwards: bool = False


async def takings(tx: Tx, projects: Sequence[int], day: date) -> list[Row]:
    """project_id, tender, amount_fen, receipts (counted once) of a business date."""
    return await tx.fetch_all(
        """
        SELECT project_id, tender, sum(amount_fen)::bigint AS amount_fen, count(*) FILTER (WHERE line = 1) AS receipts
        FROM (SELECT project_id, tender, amount_fen, line FROM report_tenders WHERE business_date = %s AND project_id = ANY(%s)
              UNION ALL
              SELECT project_id, tender, total_fen, 1 FROM report_suspense_keys
              WHERE business_date = %s AND project_id = ANY(%s)) taken
        GROUP BY project_id, tender
        """,
        (day, list(projects)) * 2,
    )


async def taken_until(tx: Tx, projects: Sequence[int], day: date, until: datetime) -> int:
    """What was taken on a business date up to an instant."""
    row = await tx.fetch_one(
        f"SELECT coalesce(sum(total_fen), 0)::bigint AS fen FROM {_KEYS} WHERE at <= %s", (*_both(projects, [day]), until)
    )
    assert row is not None
    return int(row["fen"])


async def hours(tx: Tx, projects: Sequence[int], days: Sequence[date]) -> list[Row]:
    """business_date, hour (civil, of the booking time), amount_fen."""
    return await tx.fetch_all(
        f"""
        SELECT business_date, extract(hour FROM at AT TIME ZONE 'Asia/Shanghai')::int AS hour,
               sum(total_fen)::bigint AS amount_fen
        FROM {_KEYS} GROUP BY 1, 2
        """,
        _both(projects, days),
    )


_KEYS = """
    (SELECT business_date, at, total_fen FROM report_receipt_keys WHERE business_date = ANY(%s) AND project_id = ANY(%s)
     UNION ALL
     SELECT business_date, at, total_fen FROM report_suspense_keys WHERE business_date = ANY(%s) AND project_id = ANY(%s)) k
"""


def _both(projects: Sequence[int], days: Sequence[date]) -> tuple[Any, ...]:
    return (list(days), list(projects)) * 2


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


async def moved(tx: Tx, projects: Sequence[int], day: date, now: datetime) -> list[Row]:
    """project_id with cash on its way to the bank now (transit_fen, of it overdue_fen), and what the day brought: banked_fen in
    `arrivals` lines, short_fen found missing (negative: too much).
    """
    return await tx.fetch_all(
        """
        SELECT project_id, sum(transit)::bigint AS transit_fen, sum(overdue)::bigint AS overdue_fen,
               sum(banked)::bigint AS banked_fen, sum(arrivals)::int AS arrivals, sum(short)::bigint AS short_fen
        FROM (SELECT project_id, fen AS transit, CASE WHEN deadline < %s THEN fen ELSE 0 END AS overdue, 0 AS banked,
                     0 AS arrivals, 0 AS short FROM report_transit WHERE project_id = ANY(%s)
              UNION ALL
              SELECT project_id, 0, 0, amount_fen, 1, 0 FROM report_banked WHERE business_date = %s AND project_id = ANY(%s)
              UNION ALL
              SELECT project_id, 0, 0, 0, 0, amount_fen FROM report_ledger_days
              WHERE root = 'over_short' AND day = %s AND project_id = ANY(%s)) moved
        GROUP BY project_id
        """,
        (now, list(projects), day, list(projects), day, list(projects)),
    )


async def entries(tx: Tx, projects: Sequence[int]) -> int:
    """How many ledger entries the figures rest on."""
    row = await tx.fetch_one(
        "SELECT coalesce(sum(seq), 0)::bigint AS n FROM report_heads WHERE project_id = ANY(%s)", (list(projects),)
    )
    assert row is not None
    return int(row["n"])


async def setup(tx: Tx) -> Row:
    """rooms, charges, shifts: whether there is one in scope."""
    row = await tx.fetch_one("SELECT rooms, charges, shifts FROM setup_steps()")
    assert row is not None
    return row


async def latest(tx: Tx, projects: Sequence[int], limit: int) -> list[Row]:
    """The last receipts in the order the hub learned of them."""
    found = await tx.fetch_all(
        """
        (SELECT k.entry_id FROM unnest(%s::int[]) AS p (id) CROSS JOIN LATERAL (
            SELECT r.entry_id FROM report_receipt_keys r WHERE r.project_id = p.id ORDER BY r.entry_id DESC LIMIT %s) k
         ORDER BY k.entry_id DESC LIMIT %s)
        UNION ALL
        (SELECT entry_id FROM report_suspense_keys WHERE project_id = ANY(%s) ORDER BY entry_id DESC LIMIT %s)
        """,
        (list(projects), limit, limit, list(projects), limit),
    )
    entries = sorted((row["entry_id"] for row in found), reverse=True)[:limit]
    return (await _rows(tx, entries, None))[:limit]


async def _rows(tx: Tx, entries: Sequence[int], tender: str | None) -> list[Row]:
    """The rows of these entries, in their order."""
    same = "" if tender is None else "AND tender = %s"
    rows = await tx.fetch_all(
        f"SELECT * FROM report_receipts WHERE entry_id = ANY(%s) {same} ORDER BY line",
        (list(entries), *([] if tender is None else [tender])),
    )
    place = {entry: index for index, entry in enumerate(entries)}
    return sorted(rows, key=lambda row: place[row["entry_id"]])


def _where(wanted: Filter, *, receipts: bool) -> tuple[str, list[Any]]:
    """Conditions but the project's on the keys of receipts, or of money in suspense (which has no number and no shift)."""
    parts = ["business_date BETWEEN %s AND %s"]
    values: list[Any] = [wanted.first, wanted.last]
    for column, value in (("kind", wanted.kind), ("cashier", wanted.cashier)):
        if value is not None:
            parts.append(f"{column} = %s")
            values.append(value)
    if wanted.shift is not None:
        parts.append("shift_id = %s" if receipts else "%s IS NULL")
        values.append(wanted.shift)
    if wanted.tender is not None:
        ours = "EXISTS (SELECT FROM report_receipt_tenders x WHERE x.receipt_id = k.receipt_id AND x.tender = %s)"
        parts.append(ours if receipts else "tender = %s")
        values.append(wanted.tender)
    if wanted.text and wanted.whole:
        # Equality only: it may use an index before row security is checked.
        parts.append("object = ANY(%s)" if not receipts else "(object = ANY(%s) OR number = %s AND (%s = '' OR book = %s))")
        values.append(_spellings(wanted.text))
        book = wanted.text.rpartition(" ")[0].strip().upper()
        values += [_number(wanted.text), book, book] if receipts else []
    elif wanted.text:
        parts.append("strpos(replace(upper(object), '·', ''), replace(upper(%s), '·', '')) > 0")
        values.append(wanted.text)
    return " AND ".join(parts), values


def _spellings(text: str) -> list[str]:
    """How receipts may name what was typed: a room, a plate of lane cash, a plate on an order."""
    plate = normalise(text)
    return [text, plate, f"停车费 {shown(plate)}"]


def _number(text: str) -> int | None:
    """The number of a receipt as printed: 'FQ-B 0031883', '31883'."""
    digits = text.rpartition(" ")[2]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


Page = tuple[date, int]
"""Where a list of receipts goes on: business date and entry of the last one shown."""


async def receipts(tx: Tx, wanted: Filter, before: Page | None, limit: int) -> list[Row]:
    """The rows of at most `limit` receipts, by business date and then as the hub learned of them, newest first or `upwards`."""
    beyond, way = (">", "ASC") if wanted.upwards else ("<", "DESC")
    older = f"AND (business_date, entry_id) {beyond} (%s, %s)" if before else ""
    ours, mine = _where(wanted, receipts=True)
    odd, theirs = _where(wanted, receipts=False)
    found = await tx.fetch_all(
        f"""
        (SELECT n.business_date, n.entry_id FROM unnest(%s::int[]) AS p (id) CROSS JOIN LATERAL (
            SELECT business_date, entry_id FROM report_receipt_keys k WHERE project_id = p.id AND {ours} {older}
            ORDER BY business_date {way}, entry_id {way} LIMIT %s) n
         ORDER BY n.business_date {way}, n.entry_id {way} LIMIT %s)
        UNION ALL
        (SELECT business_date, entry_id FROM report_suspense_keys k WHERE project_id = ANY(%s) AND {odd} {older}
         ORDER BY business_date {way}, entry_id {way} LIMIT %s)
        """,
        (list(wanted.projects), *mine, *(before or ()), limit, limit, list(wanted.projects), *theirs, *(before or ()), limit),
    )
    entries = sorted(((row["business_date"], row["entry_id"]) for row in found), reverse=not wanted.upwards)[:limit]
    return await _rows(tx, [entry for _, entry in entries], wanted.tender)


async def receipt_of_entry(tx: Tx, entry_id: int) -> int | None:
    """The receipt that one ledger entry was booked with."""
    row = await tx.fetch_one("SELECT receipt_id FROM report_receipt_keys WHERE entry_id = %s", (entry_id,))
    return row["receipt_id"] if row else None


async def receipts_total(tx: Tx, wanted: Filter) -> tuple[int, int]:
    """(receipts, fen) of the whole filter; by tender only that tender's part of each receipt."""
    ours, mine = _where(wanted, receipts=True)
    odd, theirs = _where(wanted, receipts=False)
    part = "total_fen"
    if wanted.tender is not None:
        part = (
            "(SELECT sum(amount_fen)::bigint FROM report_receipt_tenders x WHERE x.receipt_id = k.receipt_id AND x.tender = %s)"
        )
    row = await tx.fetch_one(
        f"""
        SELECT count(*) AS n, coalesce(sum(fen), 0)::bigint AS fen FROM (
            SELECT {part} AS fen FROM report_receipt_keys k WHERE project_id = ANY(%s) AND {ours}
            UNION ALL
            SELECT total_fen FROM report_suspense_keys k WHERE project_id = ANY(%s) AND {odd}) f
        """,
        (*([] if wanted.tender is None else [wanted.tender]), list(wanted.projects), *mine, list(wanted.projects), *theirs),
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
