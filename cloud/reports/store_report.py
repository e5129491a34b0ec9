"""SQL of reports: questions to whitelisted views, made from the fields of a subject and never from what somebody typed (R-14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from cloud.reports.domain_report import Field, Subject
from cloud.shared.db import Tx

Row = dict[str, Any]
TIMEOUT_SECONDS = 30
MOST_ROWS = 200_000
_RANGES = {">=": ">=", "<=": "<="}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a subject. `entries`: project -> the last entry that counts; None for a subject without one.

    first       the first day that counts, None for everything through `last`
    since       where the report's own period begins: what is before it is 期初; bills of before it are 往期
    conditions  field -> values of which it must be one; '-' stands for nothing
    ranges      (field, '>=' or '<=', value) of measures and dates
    """

    subject: Subject
    projects: Sequence[int]
    entries: Mapping[int, int] | None
    first: date | None
    last: date
    since: date
    conditions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ranges: Sequence[tuple[str, str, object]] = ()


async def bounded(tx: Tx) -> None:
    """From here on no statement of the transaction takes longer than a report may."""
    await tx.fetch_one("SELECT set_config('statement_timeout', %s, true)", (str(TIMEOUT_SECONDS * 1000),))


async def grouped(tx: Tx, asked: Question, keys: Sequence[Field], values: Sequence[Field], limit: int = MOST_ROWS) -> list[Row]:
    """Sums of `values` by `keys`, in the order of the keys; a count counts what is different."""
    parts, params = [], list[object]()
    for one in keys:
        text, more = _expression(asked, one)
        parts.append(f"{text} AS {one.key}")
        params += more
    groups = ", ".join(str(number) for number in range(1, len(keys) + 1))
    sums = [f"{_sum(one)} AS {one.key}" for one in values]
    where, values_of = _where(asked)
    tail = f"GROUP BY {groups} ORDER BY {groups}" if keys else ""
    return await tx.fetch_all(
        f"SELECT {', '.join([*parts, *sums])} FROM {asked.subject.view} v WHERE {where} {tail} LIMIT %s",
        (*params, *values_of, limit),
    )


async def lines(
    tx: Tx, asked: Question, fields: Sequence[Field], after: Sequence[object] | None, limit: int, more: Sequence[str] = ()
) -> list[Row]:
    """Single rows by day and place, behind the row that `after` names; `more`: further columns of the view."""
    subject = asked.subject
    parts, params = [], list[object]()
    for one in fields:
        text, extra = _expression(asked, one)
        parts.append(f"{text} AS {one.key}")
        params += extra
    named = {one.key for one in fields}
    parts += [name for name in dict.fromkeys((subject.day, *subject.order, "project_id", *more)) if name not in named]
    place = ", ".join((subject.day, *subject.order))
    where, values = _where(asked)
    if after is not None:
        where += f" AND ({place}) > ({', '.join(['%s'] * (1 + len(subject.order)))})"
        values = [*values, *after]
    return await tx.fetch_all(
        f"SELECT {', '.join(parts)} FROM {subject.view} v WHERE {where} ORDER BY {place} LIMIT %s", (*params, *values, limit)
    )


async def totals(tx: Tx, asked: Question, values: Sequence[Field]) -> Row:
    """`n` rows, and the sum of each of `values`."""
    where, params = _where(asked)
    sums = [f"{_sum(one)} AS {one.key}" for one in values]
    found = await tx.fetch_one(
        f"SELECT {', '.join(['count(*) AS n', *sums])} FROM {asked.subject.view} v WHERE {where}", tuple(params)
    )
    assert found is not None
    return found


def _sum(one: Field) -> str:
    if one.count:
        return f"count(DISTINCT {one.key})"
    return f"coalesce(sum({one.key}), 0)" + ("" if one.kind == "quantity" else "::bigint")


def _expression(asked: Question, one: Field) -> tuple[str, list[object]]:
    day = asked.subject.day
    dates = {
        "company": "v.company_id",
        "project": "v.project_id",
        "day": f"v.{day}",
        "week": f"date_trunc('week', v.{day})::date",
        "month": f"to_char(v.{day}, 'YYYY-MM')",
        "year": f"to_char(v.{day}, 'YYYY')",
    }
    if one.key in dates:
        return dates[one.key], []
    if one.key == "phase":
        return f"CASE WHEN v.{day} < %s THEN 'before' ELSE 'in' END", [asked.since]
    if one.key == "span":
        return (
            "CASE WHEN v.period_from < %s THEN 'past' WHEN v.period_from > %s THEN 'ahead' ELSE 'now' END",
            [asked.since, asked.last],
        )
    return f"v.{one.key}", []


def _where(asked: Question) -> tuple[str, list[Any]]:
    parts, params = ["v.project_id = ANY(%s)", f"v.{asked.subject.day} <= %s"], [list(asked.projects), asked.last]
    if asked.first is not None:
        parts.append(f"v.{asked.subject.day} >= %s")
        params.append(asked.first)
    if asked.entries is not None:
        if len(asked.entries) == 1:
            parts.append("v.entry_id <= %s")
            params.append(next(iter(asked.entries.values())))
        else:
            parts.append("v.entry_id <= (%s::bigint[])[array_position(%s::int[], v.project_id)]")
            params += [list(asked.entries.values()), list(asked.entries)]
    for key, wanted in asked.conditions.items():
        one = asked.subject.get(key)
        text, more = _expression(asked, one)
        plain = one.kind == "text" and key not in ("company", "project") and set(one.words) != {"True", "False"}
        compared = text if plain else f"initcap(({text})::text)" if set(one.words) == {"True", "False"} else f"({text})::text"
        test = f"{compared} = ANY(%s)"
        parts.append(f"({test} OR {compared} IS NULL)" if "-" in wanted else test)
        params += [*more, list(wanted), *(more if "-" in wanted else [])]
    for key, how, value in asked.ranges:
        text, more = _expression(asked, asked.subject.get(key))
        parts.append(f"{text} {_RANGES[how]} %s")
        params += [*more, value]
    return " AND ".join(parts), params


async def heads(tx: Tx, projects: Sequence[int]) -> dict[int, tuple[int, int]]:
    """project -> (sequence, entry) of the last entry."""
    rows = await tx.fetch_all(
        "SELECT project_id, seq, coalesce(entry_id, 0) AS entry_id FROM report_ledger_heads WHERE project_id = ANY(%s)",
        (list(projects),),
    )
    return {row["project_id"]: (row["seq"], row["entry_id"]) for row in rows}


async def entries_at(tx: Tx, seqs: Mapping[int, int]) -> dict[int, int]:
    """project -> the entry of a sequence number."""
    rows = await tx.fetch_all(
        """
        SELECT e.project_id, e.entry_id FROM unnest(%s::int[], %s::bigint[]) AS w (project_id, seq)
        JOIN report_ledger_entries e ON e.project_id = w.project_id AND e.seq = w.seq
        """,
        (list(seqs), list(seqs.values())),
    )
    return {row["project_id"]: row["entry_id"] for row in rows}


async def keep_stand(tx: Tx, code: str, company_id: int, seqs: Mapping[int, int], at: datetime) -> None:
    await tx.execute(
        """
        INSERT INTO report_stands (code, company_id, projects, seqs, at) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (code, company_id, list(seqs), list(seqs.values()), at),
    )


async def stand(tx: Tx, code: str) -> dict[int, int]:
    """project -> sequence, of the companies in scope."""
    rows = await tx.fetch_all("SELECT projects, seqs FROM report_stands WHERE code = %s", (code,))
    return {project: seq for row in rows for project, seq in zip(row["projects"], row["seqs"], strict=True)}


async def ledger_balance(tx: Tx, projects: Sequence[int], root: str, last: date, entries: Mapping[int, int]) -> int:
    """What stood on an account at the end of a day, of the entries that count. The sums by day answer, less what came later."""
    row = await tx.fetch_one(
        """
        SELECT (coalesce((SELECT sum(d.amount_fen) FROM report_ledger_days d
                          WHERE d.project_id = ANY(%s) AND d.root = %s AND d.day <= %s), 0)
                - coalesce((SELECT sum(p.amount_fen) FROM report_ledger_moves p
                            JOIN unnest(%s::int[], %s::bigint[]) AS b (project_id, upto) ON b.project_id = p.project_id
                            WHERE p.entry_id > %s AND p.entry_id > b.upto AND p.root = %s AND p.business_date <= %s), 0)
               )::bigint AS fen
        """,
        (
            list(projects),
            root,
            last,
            list(entries),
            list(entries.values()),
            min(entries.values(), default=0),
            root,
            last,
        ),
    )
    assert row is not None
    return int(row["fen"])


async def first_day(tx: Tx, projects: Sequence[int]) -> date | None:
    """The day of the first entry."""
    row = await tx.fetch_one("SELECT min(day) AS day FROM report_ledger_days WHERE project_id = ANY(%s)", (list(projects),))
    return None if row is None else row["day"]


async def closed_months(tx: Tx, projects: Sequence[int], first: date, last: date) -> dict[date, int]:
    """Last day of a month -> in how many of the projects it is closed, of the months that end within these days."""
    rows = await tx.fetch_all(
        """
        SELECT day, count(*) AS n FROM report_closed_periods
        WHERE kind = 'month' AND project_id = ANY(%s) AND day BETWEEN %s AND %s GROUP BY day ORDER BY day
        """,
        (list(projects), first, last),
    )
    return {row["day"]: row["n"] for row in rows}


async def late(tx: Tx, projects: Sequence[int], first: date, last: date) -> tuple[int, int]:
    """(entries, fen) that took these days but relate to earlier ones (C-34, R-17)."""
    row = await tx.fetch_one(
        """
        SELECT count(*) AS n, coalesce(sum(fen), 0)::bigint AS fen FROM report_late_entries
        WHERE project_id = ANY(%s) AND business_date BETWEEN %s AND %s AND relating_to < %s
        """,
        (list(projects), first, last, first),
    )
    assert row is not None
    return int(row["n"]), int(row["fen"])
