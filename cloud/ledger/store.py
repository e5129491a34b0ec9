"""The ledger's SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloud.ledger.domain import Entry, Posting, Request, Stored
from cloud.shared.db import Tx


async def post(
    tx: Tx, request: Request, asked: bytes, body: str, salts: Sequence[bytes], subject: str | None
) -> tuple[str, Entry | None]:
    """`ledger_post`: (outcome, the entry)."""
    row = await tx.fetch_one(
        """
        SELECT outcome, entry_id, entry_seq, encode(entry_hash, 'hex') AS hash, entry_day
        FROM ledger_post(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            request.project_id,
            request.kind,
            request.source,
            asked,
            request.booked_at,
            request.arrived_at,
            request.business_date,
            request.reverses,
            body,
            *posting_arrays(request.postings),
            subject,
            list(request.personal),
            list(salts),
            list(request.personal.values()),
            request.late,
        ),
    )
    assert row is not None
    outcome = str(row["outcome"])
    if row["entry_id"] is None:
        return outcome, None
    return outcome, Entry(
        row["entry_id"], request.project_id, row["entry_seq"], row["hash"], row["entry_day"], outcome == "repeated"
    )


def posting_arrays(postings: Sequence[Posting]) -> tuple[list[str], list[int], list[str | None]]:
    """Accounts, amounts and references as the posting function takes them."""
    return [p.account for p in postings], [p.amount_fen for p in postings], [p.ref for p in postings]


async def entry_with_postings(tx: Tx, entry_id: int) -> tuple[int, list[Posting]] | None:
    """(project id, postings in order) of an entry."""
    rows = await tx.fetch_all(
        "SELECT project_id, account, amount_fen, ref FROM ledger_postings WHERE entry_id = %s ORDER BY line", (entry_id,)
    )
    if not rows:
        return None
    return rows[0]["project_id"], [Posting(row["account"], row["amount_fen"], row["ref"]) for row in rows]


async def reversal_of(tx: Tx, entry_id: int) -> str | None:
    """The source of the entry that takes this one back."""
    row = await tx.fetch_one("SELECT source FROM ledger_entries WHERE reverses = %s", (entry_id,))
    return None if row is None else str(row["source"])


async def heads(tx: Tx, project_id: int) -> list[tuple[int, int, str]]:
    """(project, seq, hash) of the project's own chain and of two projects without a box."""
    rows = await tx.fetch_all("SELECT project_id, seq, encode(hash, 'hex') AS hash FROM ledger_witness_heads(%s)", (project_id,))
    return [(row["project_id"], row["seq"], row["hash"]) for row in rows]


async def chain_heads(tx: Tx) -> list[tuple[int, int, str]]:
    """(project, seq, hash) of all chains in scope, by project; projects with entries but without a head come with (0, '')."""
    rows = await tx.fetch_all(
        """
        SELECT project_id, coalesce(h.seq, 0) AS seq, coalesce(encode(h.hash, 'hex'), '') AS hash
        FROM ledger_heads h FULL JOIN (SELECT DISTINCT project_id FROM ledger_entries) e USING (project_id)
        ORDER BY project_id
        """,
        (),
    )
    return [(row["project_id"], row["seq"], row["hash"]) for row in rows]


async def hashes(tx: Tx, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """(project, seq) -> hash of the entries that are there."""
    rows = await tx.fetch_all(
        """
        SELECT e.project_id, e.seq, encode(e.hash, 'hex') AS hash
        FROM unnest(%s::int[], %s::bigint[]) AS w (project_id, seq) JOIN ledger_entries e USING (project_id, seq)
        """,
        ([project for project, _ in places], [seq for _, seq in places]),
    )
    return {(row["project_id"], row["seq"]): row["hash"] for row in rows}


async def entries_after(tx: Tx, project_id: int, after: tuple[int, int], limit: int) -> list[Stored]:
    """A page of a chain in order of (seq, id) after the given one, with postings and what personal values are left.

    A row moved to another project or company does not belong to its entry any more, and the proof misses it.
    """
    rows = await tx.fetch_all(
        """
        SELECT e.id, e.project_id, e.seq, e.kind, e.source, e.booked_at, e.arrived_at, e.business_date, o.seq AS reverses_seq,
               e.body, encode(e.content, 'hex') AS content, encode(e.prev, 'hex') AS prev, encode(e.hash, 'hex') AS hash
        FROM ledger_entries e LEFT JOIN ledger_entries o ON o.id = e.reverses
        WHERE e.project_id = %s AND e.company_id = (SELECT company_id FROM projects WHERE id = e.project_id)
          AND (e.seq, e.id) > (%s, %s)
        ORDER BY e.seq, e.id LIMIT %s
        """,
        (project_id, *after, limit),
    )
    ids = [row["id"] for row in rows]
    postings = await _by_entry(
        tx,
        """
        SELECT p.entry_id, p.line, p.account, p.amount_fen, p.ref, p.business_date
        FROM ledger_postings p
        JOIN ledger_entries e ON e.id = p.entry_id AND (e.project_id, e.company_id) = (p.project_id, p.company_id)
        WHERE p.entry_id = ANY(%s) ORDER BY p.line
        """,
        ids,
    )
    personal = await _by_entry(tx, "SELECT entry_id, field, salt, value FROM ledger_personal WHERE entry_id = ANY(%s)", ids)
    return [_stored(row, postings.get(row["id"], []), personal.get(row["id"], [])) for row in rows]


async def _by_entry(tx: Tx, sql: str, ids: list[int]) -> dict[int, list[tuple[Any, ...]]]:
    found: dict[int, list[tuple[Any, ...]]] = {}
    for row in await tx.fetch_all(sql, (ids,)):
        found.setdefault(row["entry_id"], []).append(tuple(row.values())[1:])
    return found


def _stored(row: dict[str, Any], postings: list[tuple[Any, ...]], personal: list[tuple[Any, ...]]) -> Stored:
    return Stored(
        id=row["id"],
        project_id=row["project_id"],
        seq=row["seq"],
        kind=row["kind"],
        source=row["source"],
        booked_at=row["booked_at"],
        arrived_at=row["arrived_at"],
        business_date=row["business_date"],
        reverses_seq=row["reverses_seq"],
        body=row["body"],
        content=row["content"],
        prev=row["prev"],
        hash=row["hash"],
        postings=[(line, account, amount, ref) for line, account, amount, ref, _ in postings],
        dated=all(day == row["business_date"] for *_, day in postings),
        personal=[(field, bytes(salt), value) for field, salt, value in personal],
    )


async def balance(tx: Tx) -> tuple[int, int]:
    """(sum of all postings in scope, how many entries do not balance or have no postings)."""
    row = await tx.fetch_one(
        """
        SELECT coalesce(sum(fen), 0)::bigint AS fen, count(*) FILTER (WHERE fen <> 0 OR lines < 2) AS broken
        FROM (SELECT e.id, coalesce(sum(p.amount_fen), 0) AS fen, count(p.line) AS lines
              FROM ledger_entries e LEFT JOIN ledger_postings p ON p.entry_id = e.id GROUP BY e.id) entries
        """,
        (),
    )
    assert row is not None
    return row["fen"], row["broken"]


async def erase(tx: Tx, subject: str) -> int:
    """Delete the personal values of a subject; how many."""
    rows = await tx.fetch_all("DELETE FROM ledger_personal WHERE subject = %s RETURNING entry_id", (subject,))
    return len(rows)


async def personal_value(tx: Tx, entry_id: int, field: str) -> str | None:
    row = await tx.fetch_one("SELECT value FROM ledger_personal WHERE entry_id = %s AND field = %s", (entry_id, field))
    return None if row is None else str(row["value"])
