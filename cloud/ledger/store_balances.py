"""SQL of balances: sums by day from ledger_days, sums by reference from ledger_postings (both by their indexes alone)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from cloud.shared.db import Tx

_ACCOUNT = "(%(account)s = '' OR d.account = %(account)s OR starts_with(d.account, %(account)s || ':'))"
_PROJECT = "(%(projects)s::int[] IS NULL OR d.project_id = ANY(%(projects)s::int[]))"


async def by_account(tx: Tx, projects: Sequence[int] | None, account: str, as_of: date) -> list[dict[str, Any]]:
    """account, fen (0 too) of all projects together through a day."""
    return await tx.fetch_all(
        f"""
        SELECT d.account, sum(d.debit_fen - d.credit_fen)::bigint AS fen FROM ledger_days d
        WHERE {_PROJECT} AND {_ACCOUNT} AND d.day <= %(day)s GROUP BY d.account ORDER BY d.account
        """,
        _params(projects, account, day=as_of),
    )


async def by_project(tx: Tx, projects: Sequence[int] | None, account: str, as_of: date) -> list[dict[str, Any]]:
    """project_id, fen through a day."""
    return await tx.fetch_all(
        f"""
        SELECT d.project_id, sum(d.debit_fen - d.credit_fen)::bigint AS fen FROM ledger_days d
        WHERE {_PROJECT} AND {_ACCOUNT} AND d.day <= %(day)s GROUP BY d.project_id ORDER BY d.project_id
        """,
        _params(projects, account, day=as_of),
    )


async def by_ref(tx: Tx, projects: Sequence[int] | None, account: str, ref: str, as_of: date) -> list[dict[str, Any]]:
    """project_id, account, ref, fen other than 0 through a day; `ref`: one reference, 'kind:' for all of a kind, '' for all."""
    one_account = "AND d.account = %(account)s" if ":" in account else ""
    whose = "" if not ref else "AND starts_with(d.ref, %(ref)s)" if ref.endswith(":") else "AND d.ref = %(ref)s"
    return await tx.fetch_all(
        f"""
        SELECT d.project_id, d.account, d.ref, sum(d.amount_fen)::bigint AS fen FROM ledger_postings d
        WHERE {_PROJECT} AND d.root = split_part(%(account)s, ':', 1) {one_account} {whose} AND d.business_date <= %(day)s
        GROUP BY d.project_id, d.account, d.ref HAVING sum(d.amount_fen) <> 0 ORDER BY d.project_id, d.account, d.ref
        """,
        _params(projects, account, day=as_of, ref=ref),
    )


async def movements(tx: Tx, projects: Sequence[int] | None, account: str, first: date, last: date) -> list[dict[str, Any]]:
    """project_id, day, account, debit_fen, credit_fen of the days from `first` through `last`."""
    return await tx.fetch_all(
        f"""
        SELECT d.project_id, d.day, d.account, d.debit_fen, d.credit_fen FROM ledger_days d
        WHERE {_PROJECT} AND {_ACCOUNT} AND d.day BETWEEN %(first)s AND %(day)s ORDER BY d.day, d.project_id, d.account
        """,
        _params(projects, account, day=last, first=first),
    )


async def late(tx: Tx, projects: Sequence[int] | None, account: str, as_of: date, since: datetime) -> tuple[int, int]:
    """(entries, fen) on an account dated through a day, that arrived at or after `since` and on a later day than their own."""
    row = await tx.fetch_one(
        f"""
        SELECT count(DISTINCT e.id) AS entries, coalesce(sum(d.amount_fen), 0)::bigint AS fen
        FROM ledger_entries e JOIN ledger_postings d ON d.entry_id = e.id
        WHERE e.business_date < (e.arrived_at AT TIME ZONE 'Asia/Shanghai')::date AND e.arrived_at >= %(since)s
          AND e.business_date <= %(day)s AND {_PROJECT} AND {_ACCOUNT}
        """,
        _params(projects, account, day=as_of, since=since),
    )
    assert row is not None
    return row["entries"], row["fen"]


def _params(projects: Sequence[int] | None, account: str, **more: object) -> dict[str, object]:
    return {"projects": None if projects is None else list(projects), "account": account, **more}


async def rebuild(tx: Tx) -> int:
    """Make the sums by day of every project in scope anew, project by project; how many there are."""
    row = await tx.fetch_one(
        """
        SELECT coalesce(sum(ledger_rebuild_days(p.project_id)), 0)::bigint AS n
        FROM (SELECT project_id FROM ledger_heads ORDER BY project_id) p
        """,
        (),
    )
    assert row is not None
    return int(row["n"])


async def day_faults(tx: Tx) -> list[dict[str, Any]]:
    """Sums by day that are not those of the postings: project_id, day, account, what they say and what they should."""
    return await tx.fetch_all(
        """
        SELECT project_id, day, account, d.debit_fen - d.credit_fen AS said, p.debit_fen - p.credit_fen AS is
        FROM ledger_days d FULL JOIN (
            SELECT project_id, business_date AS day, account, company_id,
                   coalesce(sum(amount_fen) FILTER (WHERE amount_fen > 0), 0) AS debit_fen,
                   coalesce(-sum(amount_fen) FILTER (WHERE amount_fen < 0), 0) AS credit_fen
            FROM ledger_postings GROUP BY project_id, business_date, account, company_id) p USING (project_id, day, account)
        WHERE (d.debit_fen, d.credit_fen, d.company_id) IS DISTINCT FROM (p.debit_fen, p.credit_fen, p.company_id)
        ORDER BY project_id, day, account
        """,
        (),
    )


async def closings(tx: Tx, days: Sequence[tuple[int, date, int, str]]) -> set[tuple[int, date, int, str]]:
    """Which of these closed days (project, day, seq and hash of the head) are there."""
    rows = await tx.fetch_all(
        """
        SELECT project_id, day, seq, encode(hash, 'hex') AS hash FROM ledger_periods
        WHERE kind = 'day' AND (project_id, day) IN (SELECT * FROM unnest(%s::int[], %s::date[]))
        """,
        ([one[0] for one in days], [one[1] for one in days]),
    )
    return {(row["project_id"], row["day"], row["seq"], row["hash"]) for row in rows}


async def period_faults(tx: Tx) -> list[dict[str, Any]]:
    """Closings that the chain contradicts: project_id, seq, kind, day, what ('head': the entry it names is another one now,
    'added': an entry after it is dated into it).
    """
    return await tx.fetch_all(
        """
        SELECT p.project_id, p.seq, p.kind, p.day, 'head' AS what
        FROM ledger_periods p LEFT JOIN ledger_entries e ON e.project_id = p.project_id AND e.seq = p.seq
        WHERE p.seq > 0 AND e.hash IS DISTINCT FROM p.hash
        UNION ALL
        SELECT p.project_id, min(e.seq), p.kind, p.day, 'added'
        FROM ledger_periods p JOIN ledger_entries e ON e.project_id = p.project_id AND e.seq > p.seq AND e.business_date <= p.day
        WHERE p.kind = 'day' GROUP BY p.project_id, p.kind, p.day
        ORDER BY 1, 2
        """,
        (),
    )
