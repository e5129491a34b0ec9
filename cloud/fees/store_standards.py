"""SQL of terms, standards, versions, assignments and facts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cloud.fees.calculator.rules import Rules, parse_rules, to_json
from cloud.fees.calculator.term import Term, parse_term
from cloud.fees.domain_standards import Assignment, Facts, NamedTerm, NewAssignment, Standard, Version
from cloud.shared.db import Tx

_STANDARD = """
    SELECT s.id, s.project_id, i.code AS item, s.code, s.name FROM fee_standards s JOIN fee_items i ON i.id = s.item_id
"""
_VERSION = """
    SELECT v.id, v.project_id, v.standard_id, v.number, v.effective_from, v.rules, v.state, v.reason, v.at, v.by, v.filing,
           v.filing_name, v.filed_price,
           t.id AS term_id, t.code AS term_code, t.name AS term_name, t.rules AS term_rules
    FROM fee_versions v JOIN fee_terms t ON t.id = v.term_id
"""
_ASSIGNMENT = """
    SELECT a.id, a.project_id, i.code AS item, a.standard_id, a.contract_id, a.room_id, a.payer_id, a.object, a.from_day,
           a.to_day, a.term_id, a.options
    FROM fee_assignments a JOIN fee_items i ON i.id = a.item_id
"""


async def add_term(tx: Tx, company_id: int, code: str, name: str, term: Term, at: datetime, by: str) -> NamedTerm | None:
    """None: the code is taken."""
    row = await tx.fetch_one(
        """
        INSERT INTO fee_terms (company_id, code, name, rules, at, by) VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (company_id, code) DO NOTHING RETURNING id
        """,
        (company_id, code, name, json.dumps(to_json(term)), at, by),
    )
    return None if row is None else NamedTerm(row["id"], code, name, term)


async def terms(tx: Tx, company_id: int) -> list[NamedTerm]:
    rows = await tx.fetch_all("SELECT id, code, name, rules FROM fee_terms WHERE company_id = %s ORDER BY code", (company_id,))
    return [NamedTerm(row["id"], row["code"], row["name"], parse_term(row["rules"])) for row in rows]


async def add_standard(tx: Tx, project_id: int, item: str, code: str, name: str, at: datetime, by: str) -> int | None:
    """The new standard's id; None: the code is taken or the item unknown."""
    row = await tx.fetch_one(
        """
        INSERT INTO fee_standards (company_id, project_id, item_id, code, name, at, by)
        SELECT p.company_id, p.id, i.id, %s, %s, %s, %s
        FROM projects p JOIN fee_items i ON i.company_id = p.company_id AND i.code = %s AND i.active WHERE p.id = %s
        ON CONFLICT (project_id, code) DO NOTHING RETURNING id
        """,
        (code, name, at, by, item, project_id),
    )
    return None if row is None else int(row["id"])


async def standards(tx: Tx, project_id: int) -> list[Standard]:
    rows = await tx.fetch_all(_STANDARD + " WHERE s.project_id = %s ORDER BY i.print_order, s.code", (project_id,))
    return [Standard(**row) for row in rows]


async def standard(tx: Tx, standard_id: int) -> Standard | None:
    row = await tx.fetch_one(_STANDARD + " WHERE s.id = %s", (standard_id,))
    return None if row is None else Standard(**row)


async def add_version(
    tx: Tx, standard_id: int, effective_from: date, rules: Rules, term_id: int, reason: str, at: datetime, by: str
) -> int:
    """A draft with the standard's next number; its id."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('fee versions', %s))", (standard_id,))
    row = await tx.fetch_one(
        """
        INSERT INTO fee_versions (company_id, project_id, standard_id, number, effective_from, rules, term_id, reason, at, by)
        SELECT s.company_id, s.project_id, s.id, 1 + (SELECT count(*) FROM fee_versions WHERE standard_id = s.id),
               %s, %s, %s, %s, %s, %s
        FROM fee_standards s WHERE s.id = %s RETURNING id
        """,
        (effective_from, json.dumps(to_json(rules)), term_id, reason, at, by, standard_id),
    )
    assert row is not None
    return int(row["id"])


async def versions(tx: Tx, project_id: int, *, published: bool = False) -> list[Version]:
    """By standard, then by the day they begin."""
    rows = await tx.fetch_all(
        _VERSION
        + " WHERE v.project_id = %s AND (NOT %s OR v.state = 'published') ORDER BY v.standard_id, v.effective_from, v.id",
        (project_id, published),
    )
    return [_version(row) for row in rows]


async def version(tx: Tx, version_id: int, *, lock: bool = False) -> Version | None:
    row = await tx.fetch_one(_VERSION + " WHERE v.id = %s" + (" FOR UPDATE OF v" if lock else ""), (version_id,))
    return None if row is None else _version(row)


async def attach_filing(tx: Tx, version_id: int, sha256: str, name: str, media: str, price: Decimal | None) -> None:
    """The filing of a draft, in the place of the one before."""
    await tx.execute(
        "UPDATE fee_versions SET filing = %s, filing_name = %s, filing_media = %s, filed_price = %s WHERE id = %s",
        (sha256, name, media, price, version_id),
    )


async def filing(tx: Tx, version_id: int) -> dict[str, Any] | None:
    """filing_name and filing_media of a version that has one."""
    return await tx.fetch_one(
        "SELECT filing_name, filing_media FROM fee_versions WHERE id = %s AND filing IS NOT NULL", (version_id,)
    )


async def publish(tx: Tx, version_id: int, at: datetime, by: str) -> bool:
    """False: another published version of the standard begins on the same day."""
    row = await tx.fetch_one(
        """
        UPDATE fee_versions v SET state = 'published', published_at = %s, published_by = %s
        WHERE v.id = %s AND NOT EXISTS (
            SELECT FROM fee_versions o WHERE o.standard_id = v.standard_id AND o.effective_from = v.effective_from
              AND o.state = 'published')
        RETURNING id
        """,
        (at, by, version_id),
    )
    return row is not None


async def covered(tx: Tx, project_id: int, new: Sequence[NewAssignment], item: str) -> tuple[str, date, date | None] | None:
    """The first assignment of the item whose days meet those of a new one: (object, from, to)."""
    row = await tx.fetch_one(
        """
        SELECT a.object, a.from_day, a.to_day
        FROM unnest(%s::text[], %s::date[], %s::date[]) AS n (object, from_day, to_day)
        JOIN fee_assignments a ON a.object = n.object AND daterange(a.from_day, a.to_day) && daterange(n.from_day, n.to_day)
        JOIN fee_items i ON i.id = a.item_id AND i.code = %s
        WHERE a.project_id = %s ORDER BY a.object, a.from_day LIMIT 1
        """,
        ([one.object for one in new], [one.from_day for one in new], [one.to_day for one in new], item, project_id),
    )
    return None if row is None else (row["object"], row["from_day"], row["to_day"])


async def lock_assignments(tx: Tx, project_id: int) -> None:
    """One writer of a project's assignments at a time, so that none slips between (F-08)."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('fee assignments', %s))", (project_id,))


async def add_assignments(tx: Tx, standard_id: int, new: Sequence[NewAssignment], at: datetime, by: str) -> list[int]:
    """Their ids, in order."""
    rows = await tx.fetch_all(
        """
        INSERT INTO fee_assignments (company_id, project_id, item_id, standard_id, contract_id, room_id, payer_id, object,
                                     from_day, to_day, term_id, options, reason, at, by)
        SELECT s.company_id, s.project_id, s.item_id, s.id, n.contract_id, n.room_id, n.payer_id, n.object, n.from_day, n.to_day,
               n.term_id, n.options, n.reason, %s, %s
        FROM unnest(%s::int[], %s::int[], %s::int[], %s::text[], %s::date[], %s::date[], %s::int[], %s::jsonb[], %s::text[])
            WITH ORDINALITY AS n (contract_id, room_id, payer_id, object, from_day, to_day, term_id, options, reason, place)
        JOIN fee_standards s ON s.id = %s ORDER BY n.place RETURNING id
        """,
        (
            at,
            by,
            [one.contract_id for one in new],
            [one.room_id for one in new],
            [one.payer_id for one in new],
            [one.object for one in new],
            [one.from_day for one in new],
            [one.to_day for one in new],
            [one.term_id for one in new],
            [json.dumps(one.options or {}) for one in new],
            [one.reason for one in new],
            standard_id,
        ),
    )
    return [row["id"] for row in rows]


async def end_assignment(tx: Tx, assignment_id: int, to_day: date) -> bool:
    return bool(await tx.execute("UPDATE fee_assignments SET to_day = %s WHERE id = %s", (to_day, assignment_id)))


async def assignments(
    tx: Tx,
    project_id: int,
    *,
    ids: Sequence[int] | None = None,
    after: int = 0,
    limit: int | None = None,
    method: str | None = None,
) -> list[Assignment]:
    """By id, those after one; `method`: of standards that were published with it."""
    rows = await tx.fetch_all(
        _ASSIGNMENT
        + " WHERE a.project_id = %s AND (%s::int[] IS NULL OR a.id = ANY(%s)) AND a.id > %s"
        + " AND (%s::text IS NULL OR EXISTS (SELECT FROM fee_versions v WHERE v.standard_id = a.standard_id"
        + " AND v.state = 'published' AND v.rules ->> 'method' = %s)) ORDER BY a.id LIMIT %s",
        (project_id, ids and list(ids), ids and list(ids), after, method, method, limit),
    )
    return [Assignment(**row) for row in rows]


async def pages(tx: Tx, project_id: int, size: int) -> list[int]:
    """The ids after which each page of so many assignments begins."""
    rows = await tx.fetch_all(
        """
        SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM fee_assignments WHERE project_id = %s) a
        WHERE n %% %s = 0 ORDER BY id
        """,
        (project_id, size),
    )
    return [0, *(row["id"] for row in rows)]


async def count_assignments(tx: Tx, project_id: int) -> int:
    row = await tx.fetch_one("SELECT count(*) AS n FROM fee_assignments WHERE project_id = %s", (project_id,))
    assert row is not None
    return int(row["n"])


async def assignments_of_room(tx: Tx, room_id: int) -> list[Assignment]:
    rows = await tx.fetch_all(_ASSIGNMENT + " WHERE a.room_id = %s ORDER BY i.print_order, a.from_day", (room_id,))
    return [Assignment(**row) for row in rows]


async def add_facts(
    tx: Tx, assignment_id: int, day: date, facts: Mapping[str, Any], at: datetime, by: str
) -> tuple[int, Mapping[str, Any]]:
    """(id, the facts that stand): those given before for that day stay."""
    row = await tx.fetch_one(
        """
        WITH added AS (
            INSERT INTO fee_facts (company_id, project_id, assignment_id, day, facts, at, by)
            SELECT company_id, project_id, id, %s, %s, %s, %s FROM fee_assignments WHERE id = %s
            ON CONFLICT (assignment_id, day) DO NOTHING RETURNING id, facts)
        SELECT id, facts FROM added UNION ALL
        SELECT id, facts FROM fee_facts WHERE assignment_id = %s AND day = %s LIMIT 1
        """,
        (day, json.dumps(facts), at, by, assignment_id, assignment_id, day),
    )
    assert row is not None
    return row["id"], row["facts"]


async def facts_of(tx: Tx, assignment_ids: Sequence[int]) -> dict[int, list[Facts]]:
    """assignment -> its facts by day."""
    rows = await tx.fetch_all(
        "SELECT id, assignment_id, day, facts FROM fee_facts WHERE assignment_id = ANY(%s) ORDER BY assignment_id, day",
        (list(assignment_ids),),
    )
    found: dict[int, list[Facts]] = {}
    for row in rows:
        found.setdefault(row["assignment_id"], []).append(Facts(**row))
    return found


def _version(row: dict[str, Any]) -> Version:
    term = NamedTerm(row.pop("term_id"), row.pop("term_code"), row.pop("term_name"), parse_term(row.pop("term_rules")))
    return Version(term=term, **{**row, "rules": parse_rules(row["rules"])})
