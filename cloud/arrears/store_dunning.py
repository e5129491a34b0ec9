"""SQL of dunning notices: numbers, what stood on them, how they arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from cloud.shared.db import Tx

_NOTICE = """
    SELECT n.id, n.company_id, n.project_id, n.no, n.level, n.nth, n.room_id, n.object, n.owner_id, n.name, n.address, n.day,
           n.pay_by, n.principal_fen, n.late_fee_fen, n.per_day_fen, n.facts, n.route, n.position, n.batch_size, n.job_id,
           n.printed_at, n.printed_by, n.printed_name, n.prints, n.served_on, n.served_way, n.served_note, n.served_by,
           n.served_at, p.name AS project
    FROM dunning_notices n JOIN projects p ON p.id = n.project_id
"""


async def take_numbers(tx: Tx, project_id: int, year: int, count: int) -> int:
    """The first of `count` numbers in a row; the counter is locked until the transaction ends, so that none is lost."""
    row = await tx.fetch_one(
        """
        INSERT INTO dunning_counters (project_id, year, company_id, last)
        SELECT id, %(year)s, company_id, %(count)s FROM projects WHERE id = %(project)s
        ON CONFLICT (project_id, year) DO UPDATE SET last = dunning_counters.last + %(count)s RETURNING last
        """,
        {"project": project_id, "year": year, "count": count},
    )
    assert row is not None
    return int(row["last"]) - count + 1


async def add(tx: Tx, values: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> int:
    """A notice with its lines; its id. `facts` is JSON text."""
    row = await tx.fetch_one(
        """
        INSERT INTO dunning_notices (company_id, project_id, year, number, no, level, nth, room_id, object, owner_id, name,
                                     address, day, pay_by, principal_fen, late_fee_fen, per_day_fen, facts, route, position,
                                     batch_size, job_id, printed_at, printed_by, printed_name)
        SELECT company_id, id, %(year)s, %(number)s, %(no)s, %(level)s, %(nth)s, %(room_id)s, %(object)s, %(owner_id)s, %(name)s,
               %(address)s, %(day)s, %(pay_by)s, %(principal_fen)s, %(late_fee_fen)s, %(per_day_fen)s, %(facts)s::jsonb,
               %(route)s, %(position)s, %(batch_size)s, %(job_id)s, %(printed_at)s, %(printed_by)s, %(printed_name)s
        FROM projects WHERE id = %(project_id)s RETURNING id
        """,
        values,
    )
    assert row is not None
    names = ("id", "item", "period_from", "period_to", "formula", "due_date", "fen", "late_fee_fen")
    await tx.execute(
        """
        INSERT INTO dunning_lines (notice_id, company_id, project_id, position, line_id, item, period_from, period_to, formula,
                                   due_date, principal_fen, late_fee_fen)
        SELECT %s, p.company_id, p.id, l.position, l.id, l.item, l.period_from, l.period_to, l.formula, l.due_date, l.fen, l.late
        FROM projects p, unnest(%s::bigint[], %s::text[], %s::date[], %s::date[], %s::text[], %s::date[], %s::bigint[],
                                     %s::bigint[])
            WITH ORDINALITY AS l (id, item, period_from, period_to, formula, due_date, fen, late, position)
        WHERE p.id = %s
        """,
        (row["id"], *([one[name] for one in lines] for name in names), values["project_id"]),
    )
    return int(row["id"])


async def of_job(tx: Tx, job_id: int) -> list[dict[str, Any]]:
    return await tx.fetch_all(_NOTICE + " WHERE n.job_id = %s ORDER BY n.position", (job_id,))


async def one(tx: Tx, notice_id: int) -> dict[str, Any] | None:
    return await tx.fetch_one(_NOTICE + " WHERE n.id = %s", (notice_id,))


async def by_no(tx: Tx, projects: Sequence[int], no: str) -> dict[str, Any] | None:
    return await tx.fetch_one(_NOTICE + " WHERE n.no = %s AND n.project_id = ANY(%s)", (no, list(projects)))


async def lines_of(tx: Tx, notices: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """notice -> its lines as printed."""
    rows = await tx.fetch_all(
        """
        SELECT notice_id, line_id, item, period_from, period_to, formula, due_date, principal_fen, late_fee_fen FROM dunning_lines
        WHERE notice_id = ANY(%s) ORDER BY notice_id, position
        """,
        (list(notices),),
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["notice_id"], []).append(row)
    return found


async def of_owners(tx: Tx, project_id: int, owners: Sequence[int]) -> list[dict[str, Any]]:
    """Every notice to these owners, oldest first."""
    return await tx.fetch_all(
        _NOTICE + " WHERE n.project_id = %s AND n.owner_id = ANY(%s) ORDER BY n.id", (project_id, list(owners))
    )


async def of_lines(tx: Tx, lines: Sequence[int]) -> list[dict[str, Any]]:
    """Every notice on which one of these lines stood, newest first."""
    return await tx.fetch_all(
        _NOTICE + " WHERE n.id IN (SELECT notice_id FROM dunning_lines WHERE line_id = ANY(%s)) ORDER BY n.id DESC",
        (list(lines),),
    )


async def doors(tx: Tx, rooms: Sequence[int]) -> dict[int, dict[str, Any]]:
    """room -> building, unit, floor, code."""
    rows = await tx.fetch_all(
        """
        SELECT r.id, b.code AS building, r.unit, r.floor, r.code FROM rooms r LEFT JOIN buildings b ON b.id = r.building_id
        WHERE r.id = ANY(%s)
        """,
        (list(rooms),),
    )
    return {row["id"]: row for row in rows}


async def addresses(tx: Tx, owners: Sequence[int]) -> dict[int, str]:
    rows = await tx.fetch_all("SELECT id, address FROM owners WHERE id = ANY(%s)", (list(owners),))
    return {row["id"]: row["address"] for row in rows}


async def sender(tx: Tx, project_id: int) -> dict[str, Any]:
    """entity, project, phone, accounts (bank, number, holder) as they stand on a letter."""
    row = await tx.fetch_one(
        """
        SELECT coalesce(nullif(p.legal_entity, ''), c.name) AS entity, p.name AS project, p.contact_phone AS phone
        FROM projects p JOIN companies c ON c.id = p.company_id WHERE p.id = %s
        """,
        (project_id,),
    )
    assert row is not None
    accounts = await tx.fetch_all(
        "SELECT bank, number, holder FROM project_accounts WHERE project_id = %s AND open ORDER BY id LIMIT 1", (project_id,)
    )
    return {**row, "accounts": accounts}


async def serve(tx: Tx, notice_id: int, values: Mapping[str, Any]) -> bool:
    """False: it was served already."""
    return bool(
        await tx.execute(
            """
            UPDATE dunning_notices SET served_on = %(on)s, served_way = %(way)s, served_note = %(note)s, served_by = %(by)s,
                   served_at = %(at)s
            WHERE id = %(id)s AND served_on IS NULL
            """,
            {**values, "id": notice_id},
        )
    )


async def print_again(tx: Tx, notice_id: int) -> None:
    await tx.execute("UPDATE dunning_notices SET prints = prints + 1 WHERE id = %s", (notice_id,))


async def served_on(tx: Tx, lines: Sequence[int], day: date) -> dict[int, date]:
    """line -> the last day by `day` on which a notice about it was served (A-02)."""
    rows = await tx.fetch_all(
        """
        SELECT l.line_id, max(n.served_on) AS day FROM dunning_lines l JOIN dunning_notices n ON n.id = l.notice_id
        WHERE l.line_id = ANY(%s) AND n.served_on <= %s GROUP BY l.line_id
        """,
        (list(lines), day),
    )
    return {row["line_id"]: row["day"] for row in rows}


_LIST = """
    WHERE n.project_id = ANY(%(projects)s)
      AND (%(level)s::text IS NULL OR n.level = %(level)s)
      AND (%(served)s::bool IS NULL OR (n.served_on IS NOT NULL) = %(served)s)
      AND (%(like)s::text IS NULL OR n.no ILIKE %(like)s OR n.name ILIKE %(like)s OR n.object ILIKE %(like)s)
      AND (%(job)s::bigint IS NULL OR n.job_id = %(job)s)
"""


async def listed(tx: Tx, where: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """Newest first, behind `after` (id)."""
    behind = "AND (%(after)s::bigint IS NULL OR n.id < %(after)s)"
    return await tx.fetch_all(f"{_NOTICE} {_LIST} {behind} ORDER BY n.id DESC LIMIT %(limit)s", {**where, "limit": limit})


async def totals(tx: Tx, where: Mapping[str, Any]) -> tuple[int, int]:
    row = await tx.fetch_one(
        f"SELECT count(*) AS n, coalesce(sum(principal_fen + late_fee_fen), 0)::bigint AS fen FROM dunning_notices n {_LIST}",
        where,
    )
    assert row is not None
    return row["n"], row["fen"]


async def number_faults(tx: Tx) -> list[tuple[int, int, int]]:
    """(project, year, how many are missing) where numbers have a gap or the counter says another last one."""
    rows = await tx.fetch_all(
        """
        SELECT c.project_id, c.year, c.last - count(n.id) AS missing FROM dunning_counters c
        LEFT JOIN dunning_notices n ON n.project_id = c.project_id AND n.year = c.year AND n.number BETWEEN 1 AND c.last
        GROUP BY c.project_id, c.year, c.last HAVING c.last <> count(n.id)
        """
    )
    return [(row["project_id"], row["year"], row["missing"]) for row in rows]


async def ledger_of(tx: Tx, project_id: int, lines: Sequence[int], until: datetime) -> list[dict[str, Any]]:
    """The entries that moved these lines, oldest first: day, seq, kind, hash, line, fen (receivable and late fee)."""
    return await tx.fetch_all(
        """
        SELECT e.business_date, e.seq, e.kind, encode(e.hash, 'hex') AS hash, g.account, g.ref, g.amount_fen AS fen
        FROM ledger_postings g JOIN ledger_entries e ON e.id = g.entry_id
        WHERE g.project_id = %s AND g.root IN ('receivable', 'late_fee') AND e.arrived_at <= %s
          AND g.ref = ANY(SELECT 'line:' || id FROM unnest(%s::bigint[]) id UNION ALL
                          SELECT DISTINCT 'batch:' || batch FROM charge_lines WHERE id = ANY(%s))
        ORDER BY e.seq, g.line
        """,
        (project_id, until, list(lines), list(lines)),
    )
