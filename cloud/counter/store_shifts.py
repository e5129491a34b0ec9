"""SQL of counts, what differed, and hand-overs of drawers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cloud.shared.db import Tx

Row = dict[str, Any]
Who = tuple[int, str, str]
"""(user id, work number, name)"""


@dataclass(frozen=True, slots=True)
class Count:
    """A drawer as it was counted, what was wrong with it and who has its cash now. `drawer`: 'shift:3', 'guard:<box>:<number>'.

    drawer_fen    what the ledger expected beside the float; variance_fen: counted less expected
    explained     '' no reason yet, 'waiting' for an approval, 'posted'; even counts are 'even'
    handed        '' not offered, 'waiting', 'refused', 'confirmed'
    """

    id: int
    project_id: int
    drawer: str
    shift_id: int | None
    n: int
    holder_id: int | None
    holder: str
    holder_name: str
    place: str
    by_id: int
    by_number: str
    by_name: str
    at: datetime
    business_date: date
    reason: str | None
    notes: Mapping[str, int]
    counted_fen: int
    float_fen: int
    drawer_fen: int
    variance_fen: int
    takings: Mapping[str, Any]
    head_seq: int
    head_hash: str
    request_key: str
    explained: str
    why: str | None
    approval_id: int | None
    handed: str
    handover_id: int | None
    handed_fen: int | None
    kept_fen: int | None
    receiver_name: str | None
    opened_at: datetime | None

    @property
    def expected_fen(self) -> int:
        return self.float_fen + self.drawer_fen


@dataclass(frozen=True, slots=True)
class Handover:
    """Cash offered to whoever receives it."""

    id: int
    project_id: int
    count_id: int
    amount_fen: int
    float_fen: int
    offered_by: int
    state: str
    receiver_id: int | None


async def held_shift(tx: Tx, user_id: int) -> int | None:
    """The person's open shift, kept open until this transaction ends: a count waits for payments under way (C-31)."""
    row = await tx.fetch_one("SELECT id FROM shifts WHERE user_id = %s AND closed_at IS NULL FOR SHARE", (user_id,))
    return None if row is None else int(row["id"])


async def locked(tx: Tx, shift_id: int) -> Row | None:
    """A shift for closing: nobody takes money in it meanwhile."""
    return await tx.fetch_one(
        """
        SELECT id, project_id, user_id, user_number, user_name, terminal, float_fen, opened_at, closed_at, closed_by, frozen_at,
               settled_at
        FROM shifts WHERE id = %s FOR UPDATE
        """,
        (shift_id,),
    )


async def end(tx: Tx, shift_id: int, at: datetime, by: str, reason: str | None) -> None:
    await tx.execute(
        "UPDATE shifts SET closed_at = %s, closed_by = %s, close_reason = %s WHERE id = %s AND closed_at IS NULL",
        (at, by, reason, shift_id),
    )


async def freeze(tx: Tx, shift_id: int, at: datetime | None) -> None:
    await tx.execute("UPDATE shifts SET frozen_at = %s WHERE id = %s", (at, shift_id))


async def settle(tx: Tx, shift_id: int, at: datetime) -> None:
    """Mark a shift whose drawer is handed over and empty."""
    await tx.execute(
        """
        UPDATE shifts s SET settled_at = %s
        WHERE s.id = %s AND s.closed_at IS NOT NULL AND s.settled_at IS NULL
          AND EXISTS (SELECT FROM cash_counts c JOIN cash_handovers h ON h.count_id = c.id
                      WHERE c.shift_id = s.id AND h.state = 'confirmed')
          AND (SELECT coalesce(sum(amount_fen), 0) FROM ledger_postings p
               WHERE p.project_id = s.project_id AND p.root = 'cash_drawer' AND p.ref = 'shift:' || s.id) = 0
        """,
        (at, shift_id),
    )


async def lock_drawer(tx: Tx, project_id: int, drawer: str) -> None:
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"drawer {project_id} {drawer}",))


async def drawer(tx: Tx, project_id: int, ref: str) -> tuple[int, int, str]:
    """(what the ledger has in a drawer and nobody else has received yet, sequence and hash of the chain's head), of one instant.

    A difference that was handed over and not explained yet is not in the drawer: it is added back.
    """
    row = await tx.fetch_one(
        """
        SELECT ((SELECT coalesce(sum(amount_fen), 0) FROM ledger_postings
                 WHERE project_id = %(project)s AND root = 'cash_drawer' AND ref = %(ref)s)
                + (SELECT coalesce(sum(c.variance_fen), 0)
                   FROM cash_counts c JOIN cash_handovers h ON h.count_id = c.id AND h.state = 'confirmed'
                   LEFT JOIN cash_variances v ON v.count_id = c.id
                   WHERE c.project_id = %(project)s AND c.drawer = %(ref)s AND v.entry_id IS NULL))::bigint AS fen,
               coalesce((SELECT seq FROM ledger_heads WHERE project_id = %(project)s), 0) AS seq,
               coalesce((SELECT encode(hash, 'hex') FROM ledger_heads WHERE project_id = %(project)s), repeat('00', 32)) AS hash
        """,
        {"project": project_id, "ref": ref},
    )
    assert row is not None
    return int(row["fen"]), int(row["seq"]), str(row["hash"])


async def has_postings(tx: Tx, project_id: int, ref: str) -> bool:
    row = await tx.fetch_one(
        "SELECT 1 FROM ledger_postings WHERE project_id = %s AND root = 'cash_drawer' AND ref = %s LIMIT 1", (project_id, ref)
    )
    return row is not None


async def takings(tx: Tx, shift_id: int) -> dict[str, Any]:
    """What a shift took: by tender from its ledger entries, receipts from-to per book, how many were reversals and reprints."""
    tenders = await tx.fetch_all(
        """
        SELECT CASE p.root WHEN 'cash_drawer' THEN 'cash' ELSE split_part(p.ref, ':', 1) END AS tender,
               count(*) FILTER (WHERE p.amount_fen > 0) AS receipts, count(*) FILTER (WHERE p.amount_fen < 0) AS reversals,
               coalesce(sum(p.amount_fen) FILTER (WHERE p.amount_fen > 0), 0)::bigint AS in_fen,
               coalesce(sum(p.amount_fen) FILTER (WHERE p.amount_fen < 0), 0)::bigint AS back_fen
        FROM receipts r JOIN ledger_postings p ON p.entry_id = r.entry_id
            AND p.root IN ('cash_drawer', 'provider_clearing', 'bank')
        WHERE r.shift_id = %s GROUP BY 1 ORDER BY 1
        """,
        (shift_id,),
    )
    books = await tx.fetch_all(
        """
        SELECT b.code AS book, min(r.number) AS first, max(r.number) AS last, count(*) AS receipts,
               count(*) FILTER (WHERE r.reverses IS NOT NULL) AS reversals,
               (SELECT count(*) FROM receipt_prints p JOIN receipts x ON x.id = p.receipt_id
                WHERE x.shift_id = %(shift)s AND x.book_id = b.id AND p.n > 1) AS reprints
        FROM receipts r JOIN receipt_books b ON b.id = r.book_id WHERE r.shift_id = %(shift)s GROUP BY b.id ORDER BY b.code
        """,
        {"shift": shift_id},
    )
    return {"tenders": tenders, "books": books}


async def add_count(tx: Tx, facts: Mapping[str, object]) -> int | None:
    """The count's number; None when the key was used."""
    row = await tx.fetch_one(
        """
        INSERT INTO cash_counts (company_id, project_id, drawer, shift_id, n, holder_id, holder, holder_name, place, by_id,
                                 by_number, by_name, at, business_date, reason, notes, counted_fen, float_fen, drawer_fen,
                                 takings, head_seq, head_hash, request_key)
        SELECT p.company_id, p.id, %(drawer)s, %(shift_id)s,
               1 + (SELECT count(*) FROM cash_counts c WHERE c.project_id = p.id AND c.drawer = %(drawer)s), %(holder_id)s,
               %(holder)s, %(holder_name)s, %(place)s, %(by_id)s, %(by_number)s, %(by_name)s, %(at)s, %(business_date)s,
               %(reason)s, %(notes)s, %(counted_fen)s, %(float_fen)s, %(drawer_fen)s, %(takings)s, %(head_seq)s,
               decode(%(head_hash)s, 'hex'), %(request_key)s
        FROM projects p WHERE p.id = %(project_id)s ON CONFLICT DO NOTHING RETURNING id
        """,
        {**facts, "notes": json.dumps(facts["notes"]), "takings": json.dumps(facts["takings"], ensure_ascii=False)},
    )
    return None if row is None else int(row["id"])


_COUNT = """
    SELECT c.id, c.project_id, c.drawer, c.shift_id, c.n, c.holder_id, c.holder, c.holder_name, c.place, c.by_id, c.by_number,
           c.by_name, c.at, c.business_date, c.reason, c.notes, c.counted_fen, c.float_fen, c.drawer_fen, c.variance_fen,
           c.takings, c.head_seq, encode(c.head_hash, 'hex') AS head_hash, c.request_key,
           CASE WHEN c.variance_fen = 0 THEN 'even' WHEN v.count_id IS NULL THEN '' WHEN v.entry_id IS NULL THEN 'waiting'
                ELSE 'posted' END AS explained,
           v.reason AS why, v.approval_id, coalesce(h.state, '') AS handed, h.id AS handover_id, h.amount_fen AS handed_fen,
           h.float_fen AS kept_fen, h.receiver_name, s.opened_at
    FROM cash_counts c
    LEFT JOIN cash_variances v ON v.count_id = c.id
    LEFT JOIN LATERAL (SELECT * FROM cash_handovers o WHERE o.count_id = c.id ORDER BY o.id DESC LIMIT 1) h ON true
    LEFT JOIN shifts s ON s.id = c.shift_id
"""


async def count(tx: Tx, count_id: int) -> Count | None:
    return _count(await tx.fetch_one(_COUNT + " WHERE c.id = %s", (count_id,)))


async def last_count(tx: Tx, project_id: int, ref: str) -> Count | None:
    """The count that stands for a drawer: its newest."""
    return _count(
        await tx.fetch_one(_COUNT + " WHERE c.project_id = %s AND c.drawer = %s ORDER BY c.n DESC LIMIT 1", (project_id, ref))
    )


async def counts_of(tx: Tx, projects: Sequence[int], user_id: int, number: str) -> list[Count]:
    """The newest ten counts of what a person held."""
    rows = await tx.fetch_all(
        _COUNT + " WHERE c.project_id = ANY(%s) AND (c.holder_id = %s OR c.holder = %s) ORDER BY c.id DESC LIMIT 10",
        (list(projects), user_id, number),
    )
    return [Count(**row) for row in rows]


async def count_by_key(tx: Tx, project_id: int, key: str) -> Count | None:
    return _count(await tx.fetch_one(_COUNT + " WHERE c.project_id = %s AND c.request_key = %s", (project_id, key)))


async def counts(tx: Tx, projects: Sequence[int], since: date) -> list[Count]:
    """Counts of drawers since a day, and every one that is not done; the newest of each drawer first."""
    rows = await tx.fetch_all(
        _COUNT
        + """
        WHERE c.project_id = ANY(%s) AND (c.business_date >= %s OR v.entry_id IS NULL AND c.variance_fen <> 0
                                          OR h.state IS DISTINCT FROM 'confirmed')
          AND NOT EXISTS (SELECT FROM cash_counts later WHERE later.project_id = c.project_id AND later.drawer = c.drawer
                          AND later.n > c.n AND c.shift_id IS NOT NULL)
        ORDER BY c.at DESC LIMIT 200
        """,
        (list(projects), since),
    )
    return [Count(**row) for row in rows]


def _count(row: Row | None) -> Count | None:
    return None if row is None else Count(**row)


async def explain(tx: Tx, counted: Count, reason: str, who: Who, at: datetime) -> bool:
    """Whether this is the first reason given for what differed."""
    return bool(
        await tx.execute(
            """
            INSERT INTO cash_variances (count_id, company_id, project_id, amount_fen, reason, by_id, by_number, by_name, at)
            SELECT id, company_id, project_id, variance_fen, %s, %s, %s, %s, %s FROM cash_counts WHERE id = %s
            ON CONFLICT DO NOTHING
            """,
            (reason, *who, at, counted.id),
        )
    )


async def explained(tx: Tx, count_id: int, *, approval_id: int | None = None, entry_id: int | None = None) -> None:
    await tx.execute(
        """
        UPDATE cash_variances SET approval_id = coalesce(%s, approval_id), entry_id = coalesce(%s, entry_id) WHERE count_id = %s
        """,
        (approval_id, entry_id, count_id),
    )


async def reasons_of(tx: Tx, counted: Count) -> int:
    """What the holder's other counts of the day differed by and posted for a reason alone, over and short alike (fen)."""
    row = await tx.fetch_one(
        """
        SELECT coalesce(sum(abs(c.variance_fen)), 0)::bigint AS fen
        FROM cash_counts c JOIN cash_variances v ON v.count_id = c.id AND v.approval_id IS NULL AND v.entry_id IS NOT NULL
        WHERE c.project_id = %s AND c.holder = %s AND c.business_date = %s AND c.id <> %s
        """,
        (counted.project_id, counted.holder, counted.business_date, counted.id),
    )
    return int(row["fen"]) if row else 0


async def offer(tx: Tx, counted: Count, amount_fen: int, float_fen: int, by: Who, at: datetime) -> int | None:
    """The hand-over's number; None when one waits or is done."""
    row = await tx.fetch_one(
        """
        INSERT INTO cash_handovers (company_id, project_id, count_id, amount_fen, float_fen, offered_by, offered_number,
                                    offered_at)
        SELECT company_id, project_id, id, %s, %s, %s, %s, %s FROM cash_counts WHERE id = %s
        ON CONFLICT DO NOTHING RETURNING id
        """,
        (amount_fen, float_fen, by[0], by[1], at, counted.id),
    )
    return None if row is None else int(row["id"])


async def handover(tx: Tx, handover_id: int) -> Handover | None:
    row = await tx.fetch_one(
        """
        SELECT id, project_id, count_id, amount_fen, float_fen, offered_by, state, receiver_id FROM cash_handovers
        WHERE id = %s FOR UPDATE
        """,
        (handover_id,),
    )
    return None if row is None else Handover(**row)


async def decide(tx: Tx, handover_id: int, state: str, who: Who, at: datetime, refusal: str | None = None) -> None:
    await tx.execute(
        """
        UPDATE cash_handovers SET state = %s, receiver_id = %s, receiver = %s, receiver_name = %s, decided_at = %s, refusal = %s
        WHERE id = %s
        """,
        (state, *who, at, refusal, handover_id),
    )


async def handed(tx: Tx, handover_id: int, entry_id: int) -> None:
    await tx.execute("UPDATE cash_handovers SET entry_id = %s WHERE id = %s", (entry_id, handover_id))


async def open_shifts(tx: Tx, projects: Sequence[int]) -> list[Row]:
    """Shifts whose drawer is not handed over yet: who, where, since when; nothing of what is in them."""
    return await tx.fetch_all(
        """
        SELECT id, project_id, user_id, user_number, user_name, terminal, float_fen, opened_at, closed_at, closed_by,
               close_reason, frozen_at
        FROM shifts WHERE project_id = ANY(%s) AND settled_at IS NULL ORDER BY project_id, opened_at
        """,
        (list(projects),),
    )


async def guards(tx: Tx, projects: Sequence[int]) -> list[Row]:
    """Guards who hold lane cash: project_id, drawer; not how much."""
    return await tx.fetch_all(
        """
        SELECT project_id, ref AS drawer, split_part(ref, ':', 2) AS box, split_part(ref, ':', 3) AS holder FROM ledger_postings
        WHERE root = 'cash_drawer' AND ref LIKE 'guard:%%' AND project_id = ANY(%s)
        GROUP BY project_id, ref HAVING sum(amount_fen) <> 0 ORDER BY project_id, ref
        """,
        (list(projects),),
    )


async def too_long(tx: Tx, before: datetime) -> list[Row]:
    """Shifts open since before an instant, locked for closing."""
    return await tx.fetch_all(
        """
        SELECT id, company_id, project_id, user_number, user_name, terminal, opened_at FROM shifts
        WHERE closed_at IS NULL AND opened_at < %s ORDER BY id FOR UPDATE SKIP LOCKED
        """,
        (before,),
    )
