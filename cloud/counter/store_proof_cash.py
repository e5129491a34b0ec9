"""SQL that proves counts, hand-overs, slips, arrivals and closes against the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from cloud.shared.db import Tx

Row = dict[str, Any]


async def entries(tx: Tx, after: int, limit: int) -> list[Row]:
    """Entries that move cash, after an id: id, project_id, seq, kind, source, postings [[root, ref, fen]]."""
    return await tx.fetch_all(
        """
        SELECT e.id, e.project_id, e.seq, e.kind, e.source,
               (SELECT jsonb_agg(jsonb_build_array(p.root, p.ref, p.amount_fen)) FROM ledger_postings p
                WHERE p.entry_id = e.id) AS postings
        FROM ledger_entries e
        WHERE e.kind IN ('cash_variance', 'cash_handover', 'cash_pass', 'cash_slip', 'cash_arrival', 'cash_difference')
          AND e.id > %s
        ORDER BY e.id LIMIT %s
        """,
        (after, limit),
    )


async def variances(tx: Tx, ids: Sequence[int]) -> list[Row]:
    """What differed, by count: entry_id, and the postings it must have."""
    return await tx.fetch_all(
        """
        SELECT c.id, v.entry_id, c.drawer, c.holder, c.variance_fen, v.amount_fen
        FROM cash_counts c JOIN cash_variances v ON v.count_id = c.id WHERE c.id = ANY(%s)
        """,
        (list(ids),),
    )


async def handovers(tx: Tx, ids: Sequence[int]) -> list[Row]:
    return await tx.fetch_all(
        """
        SELECT h.id, h.project_id, h.entry_id, h.state, h.receiver, h.amount_fen, h.float_fen - c.float_fen AS change_fen,
               c.drawer
        FROM cash_handovers h JOIN cash_counts c ON c.id = h.count_id WHERE h.id = ANY(%s)
        """,
        (list(ids),),
    )


async def passes(tx: Tx, ids: Sequence[int]) -> list[Row]:
    """Cash that went on to somebody else, with what its hand-overs come to."""
    return await tx.fetch_all(
        """
        SELECT p.id, p.entry_id, p.state, p.from_number, p.receiver, p.amount_fen,
               (SELECT coalesce(sum(h.amount_fen), 0) FROM cash_handovers h WHERE h.id = ANY(p.handovers))::bigint AS handed_fen
        FROM cash_passes p WHERE p.id = ANY(%s)
        """,
        (list(ids),),
    )


async def slips(tx: Tx, ids: Sequence[int]) -> list[Row]:
    """Slips with what their hand-overs come to."""
    return await tx.fetch_all(
        """
        SELECT s.id, s.depositor, s.amount_fen, s.difference_fen, s.difference_entry, a.code,
               (SELECT coalesce(sum(h.amount_fen), 0) FROM cash_handovers h WHERE h.slip_id = s.id)::bigint AS handed_fen
        FROM deposit_slips s JOIN bank_accounts a ON a.id = s.account_id WHERE s.id = ANY(%s)
        """,
        (list(ids),),
    )


async def arrivals(tx: Tx, entries: Sequence[int]) -> list[Row]:
    """Confirmed lines of statements by entry: slip_id, fen."""
    return await tx.fetch_all(
        """
        SELECT entry_id, slip_id, sum(amount_fen)::bigint AS fen FROM bank_lines WHERE entry_id = ANY(%s) GROUP BY 1, 2
        """,
        (list(entries),),
    )


async def unposted(tx: Tx) -> list[Row]:
    """What says that cash moved, without the entry of it: project_id, what."""
    return await tx.fetch_all(
        """
        SELECT h.project_id, 'hand-over ' || h.id AS what FROM cash_handovers h JOIN cash_counts c ON c.id = h.count_id
        WHERE h.state = 'confirmed' AND (h.amount_fen <> 0 OR h.float_fen <> c.float_fen)
          AND NOT EXISTS (SELECT FROM ledger_entries e WHERE e.id = h.entry_id AND e.source = 'handover:' || h.id)
        UNION ALL
        SELECT p.project_id, 'pass ' || p.id FROM cash_passes p
        WHERE p.state = 'confirmed'
          AND NOT EXISTS (SELECT FROM ledger_entries e WHERE e.id = p.entry_id AND e.source = 'pass:' || p.id)
        UNION ALL
        SELECT h.project_id, 'bearer of hand-over ' || h.id FROM cash_handovers h
        LEFT JOIN (SELECT DISTINCT ON (x.id) x.id, p.receiver FROM cash_passes p, unnest(p.handovers) AS x (id)
                   WHERE p.state = 'confirmed' ORDER BY x.id, p.id DESC) last ON last.id = h.id
        WHERE h.bearer IS DISTINCT FROM last.receiver
        UNION ALL
        SELECT v.project_id, 'difference of count ' || v.count_id FROM cash_variances v
        WHERE v.entry_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM ledger_entries e
                          WHERE e.id = v.entry_id AND e.source = 'count:' || v.count_id || ':variance')
        UNION ALL
        SELECT s.project_id, 'slip ' || s.id FROM deposit_slips s
        WHERE NOT EXISTS (SELECT FROM ledger_entries e WHERE e.project_id = s.project_id AND e.source = 'slip:' || s.id)
        UNION ALL
        SELECT s.project_id, 'difference of slip ' || s.id FROM deposit_slips s WHERE s.difference_entry IS NOT NULL
          AND NOT EXISTS (SELECT FROM ledger_entries e
                          WHERE e.id = s.difference_entry AND e.source = 'slip:' || s.id || ':difference')
        UNION ALL
        SELECT s.project_id, 'bank line ' || l.id FROM bank_lines l JOIN deposit_slips s ON s.id = l.slip_id
        WHERE NOT EXISTS (SELECT FROM ledger_entries e WHERE e.id = l.entry_id AND e.kind = 'cash_arrival')
        ORDER BY 1, 2
        """,
        (),
    )


async def count_faults(tx: Tx) -> list[Row]:
    """Counts that do not say what was counted, what the ledger had in the drawer then, or what was handed over.

    What the ledger had is a running sum over the drawer's postings, each count standing after the entry it saw last; a difference
    that was handed over before it was posted is added back, as when the count was made.
    """
    return await tx.fetch_all(
        """
        WITH handed AS (
            SELECT c.project_id, c.drawer, c.variance_fen, h.entry_id, he.seq AS handed, ve.seq AS posted
            FROM cash_counts c JOIN cash_handovers h ON h.count_id = c.id AND h.state = 'confirmed'
            LEFT JOIN ledger_entries he ON he.id = h.entry_id
            LEFT JOIN cash_variances v ON v.count_id = c.id LEFT JOIN ledger_entries ve ON ve.id = v.entry_id
            WHERE c.variance_fen <> 0),
        moves AS (
            SELECT p.project_id, p.ref AS drawer, e.seq, p.amount_fen AS fen, NULL::int AS count_id
            FROM ledger_postings p JOIN ledger_entries e ON e.id = p.entry_id
            WHERE p.root = 'cash_drawer' AND p.ref ~ '^(shift|guard):'
            UNION ALL
            SELECT project_id, drawer, handed, variance_fen, NULL FROM handed WHERE posted IS NULL OR posted > handed
            UNION ALL
            SELECT project_id, drawer, posted, -variance_fen, NULL FROM handed WHERE posted > handed
            UNION ALL
            SELECT project_id, drawer, head_seq, 0, id FROM cash_counts),
        seen AS (
            SELECT count_id, sum(fen) OVER (PARTITION BY project_id, drawer ORDER BY seq, count_id NULLS FIRST)::bigint AS fen
            FROM moves)
        SELECT c.project_id, c.head_seq AS seq, c.id, c.counted_fen, n.fen AS notes_fen, c.drawer_fen,
               CASE WHEN EXISTS (SELECT FROM handed x WHERE x.project_id = c.project_id AND x.drawer = c.drawer
                                 AND x.entry_id IS NULL)
                    THEN c.drawer_fen ELSE s.fen END AS ledger_fen,
               coalesce(h.fen, c.counted_fen) AS handed_fen, c.head_seq > 0 AND e.hash IS DISTINCT FROM c.head_hash AS other_head
        FROM cash_counts c JOIN seen s ON s.count_id = c.id
        CROSS JOIN LATERAL (SELECT coalesce(sum(key::bigint * value::bigint), 0)::bigint AS fen FROM jsonb_each_text(c.notes)) n
        LEFT JOIN LATERAL (SELECT o.amount_fen + o.float_fen AS fen FROM cash_handovers o WHERE o.count_id = c.id
                           ORDER BY o.amount_fen + o.float_fen = c.counted_fen LIMIT 1) h ON true
        LEFT JOIN ledger_entries e ON e.project_id = c.project_id AND e.seq = c.head_seq
        WHERE n.fen <> c.counted_fen OR coalesce(h.fen, c.counted_fen) <> c.counted_fen
           OR c.head_seq > 0 AND e.hash IS DISTINCT FROM c.head_hash
           OR s.fen <> c.drawer_fen AND NOT EXISTS (SELECT FROM handed x WHERE x.project_id = c.project_id
                                                    AND x.drawer = c.drawer AND x.entry_id IS NULL)
        ORDER BY c.project_id, c.id
        """,
        (),
    )


async def missing_counts(tx: Tx) -> list[Row]:
    """Drawers with a count that is gone: project_id, drawer, how many are missing."""
    return await tx.fetch_all(
        """
        SELECT project_id, drawer, max(n) - count(*) AS missing FROM cash_counts
        GROUP BY project_id, drawer HAVING max(n) <> count(*)
        UNION ALL
        SELECT h.project_id, 'of hand-over ' || h.id, 1 FROM cash_handovers h
        WHERE NOT EXISTS (SELECT FROM cash_counts c WHERE c.id = h.count_id)
        ORDER BY 1, 2
        """,
        (),
    )


async def unsheeted(tx: Tx) -> list[Row]:
    """Days closed by a project that makes sheets, without the sheet of it: project_id, day, seq."""
    return await tx.fetch_all(
        """
        SELECT p.project_id, p.day, p.seq FROM ledger_periods p
        WHERE p.kind = 'day'
          AND p.closed_at >= (SELECT min(c.closed_at) FROM day_closes c WHERE c.project_id = p.project_id)
          AND NOT EXISTS (SELECT FROM day_closes c WHERE c.project_id = p.project_id AND c.day = p.day)
        ORDER BY p.project_id, p.day
        """,
        (),
    )


async def closes(tx: Tx, after: int, limit: int) -> list[Row]:
    """Closes after an id, with the period that the ledger closed and whether the digest is the sheet's."""
    return await tx.fetch_all(
        """
        SELECT c.id, c.project_id, c.day, c.seq, encode(c.hash, 'hex') AS hash, c.sheet, c.signed,
               encode(c.digest, 'hex') AS digest, encode(sha256(convert_to(c.sheet, 'UTF8')), 'hex') AS found,
               (p.seq, p.hash) IS NOT DISTINCT FROM (c.seq, c.hash) AS closed
        FROM day_closes c
        LEFT JOIN ledger_periods p ON p.project_id = c.project_id AND p.kind = 'day' AND p.day = c.day
        WHERE c.id > %s ORDER BY c.id LIMIT %s
        """,
        (after, limit),
    )


async def counted(tx: Tx, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Counts by id: (counted_fen, variance_fen)."""
    rows = await tx.fetch_all("SELECT id, counted_fen, variance_fen FROM cash_counts WHERE id = ANY(%s)", (list(ids),))
    return {row["id"]: (row["counted_fen"], row["variance_fen"]) for row in rows}


async def moved(tx: Tx, days: Sequence[tuple[int, date]]) -> list[Row]:
    """What the accounts of a sheet moved by on days of projects: project_id, day, root, kind, fen."""
    return await tx.fetch_all(
        """
        SELECT p.project_id, p.business_date AS day, p.root, e.kind, sum(p.amount_fen)::bigint AS fen
        FROM unnest(%s::int[], %s::date[]) AS w (project_id, day)
        JOIN ledger_postings p ON p.project_id = w.project_id AND p.business_date = w.day
        JOIN ledger_entries e ON e.id = p.entry_id
        WHERE p.root IN ('cash_drawer', 'cash_in_transit', 'bank', 'provider_clearing', 'over_short', 'waiver', 'suspense')
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        """,
        ([project for project, _ in days], [day for _, day in days]),
    )
