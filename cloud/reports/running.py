"""A report, run: the question from the address, the figures, and what is said beside them (R-01, R-16, R-17)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from cloud.reports import standing, store_report
from cloud.reports.domain_report import (
    GRAINS,
    Check,
    Field,
    Frame,
    Report,
    Sheet,
    Wordy,
    asked_for,
    column_of,
    flow_sheet,
    period_text,
    pivot,
    word_of,
)
from cloud.reports.standing import Stand
from cloud.reports.store_report import MOST_ROWS, Question
from cloud.reports.subjects import SUBJECTS
from cloud.shared.db import Tx
from cloud.shared.places import Place
from protocols.errors import Refused
from protocols.money import yuan
from protocols.time import business_date

PAGE = 50
LONGEST = timedelta(days=3660)
_NAMES = ("at", "first", "last", "by", "stand", "after", "agency")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks of a report. `conditions`: field -> values; `query`: what was typed, for links."""

    report: Report
    where: Place
    first: date
    last: date
    grain: str
    conditions: Mapping[str, Sequence[str]]
    stand: Stand
    query: Mapping[str, str]
    today: date
    after: str = ""
    agency: bool = False

    def question(self, *, opening: bool = False) -> Question:
        """`opening`: everything up to the last day, so that what stood before can be told."""
        subject = SUBJECTS[self.report.subject]
        fixed = {key: list(values) for key, values in self.report.fixed.items()}
        conditions = fixed | {key: list(values) for key, values in self.conditions.items() if key not in HEADS}
        whole = opening or self.report.as_of or bool(self.conditions.get("phase"))
        if (phases := self.conditions.get("phase")) and "all" not in phases:
            conditions["phase"] = list(phases)
        projects = [one for one in self.where.ids if _inside(self.conditions, one, self.where)]
        entries = {project: self.stand.entries[project] for project in projects} if subject.bound else None
        first = None if whole else self.first
        return Question(subject, projects, entries, first, self.last, self.first, conditions)


_SEVERAL = ("act", "span", "kind", "status", "category", "project", "company", "phase")
"""Conditions of which an address may name several values, with commas between."""
HEADS = ("project", "company", "phase")
"""Conditions that are more than a comparison with a column."""


def _inside(conditions: Mapping[str, Sequence[str]], project: int, where: Place) -> bool:
    wanted = conditions.get("project")
    companies = conditions.get("company")
    company = next(one.company_id for one in where.projects if one.id == project)
    return (wanted is None or str(project) in wanted) and (companies is None or str(company) in companies)


async def ask(tx: Tx, report: Report, where: Place, query: Mapping[str, str], now: datetime) -> Asked:
    """The question of an address. Refused with a sentence for dates, conditions and places in the ledger that cannot be."""
    today = business_date(now)
    last = _day(query, "last", today)
    first = _day(query, "first", last.replace(day=1) if report.kind != "list" else last)
    if report.as_of:
        first = _day(query, "first", last)
    if first > last:
        raise Refused("days_turned", "结束日期早于开始日期，请对调", "the last day is before the first", field="last")
    if last - first > LONGEST:
        raise Refused("too_long", "一张报表最多看 10 年，请分段看", "a report covers at most ten years", field="first")
    grain = query.get("by") or report.grain
    if report.grain and grain not in GRAINS:
        raise Refused("no_grain", "只能按日、周、月、年汇总", "no such period", field="by")
    conditions = _conditions(report, query)
    stand = await standing.stand_of(tx, where, query.get("stand", ""), now)
    return Asked(
        report,
        where,
        first,
        last,
        grain,
        conditions,
        stand,
        dict(query),
        today,
        query.get("after", ""),
        query.get("agency") == "1",
    )


def _day(query: Mapping[str, str], name: str, usual: date) -> date:
    text = query.get(name, "")
    if not text:
        return usual
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if not 1990 <= found.year <= 2200:
        raise Refused("bad_day", f"日期“{text[:20]}”不对，要写成 2026-11-24", "no such day", field=name)
    return found


def _conditions(report: Report, query: Mapping[str, str]) -> dict[str, list[str]]:
    subject = SUBJECTS[report.subject]
    found: dict[str, list[str]] = {}
    for name, text in query.items():
        if name in _NAMES or not text:
            continue
        one = subject.get(name)
        if one.measure or len(text) > 400 or "\0" in text:
            raise Refused("bad_filter", f"不能按“{one.title}”筛选", f"no condition on {name}", field=name)
        found[name] = text.split(",") if name in _SEVERAL else [text]
    return found


def words(where: Place, report: Report) -> Wordy:
    """Projects and companies by name, codes by their words."""
    projects = {one.id: one.name for one in where.projects}
    companies = {one.id: one.name for one in where.companies}
    subject = SUBJECTS[report.subject]

    def word(key: str, value: object) -> object:
        if key in ("project", "company") and value not in (None, ""):
            return (projects if key == "project" else companies).get(int(str(value)), str(value))
        return word_of(subject.get(key), value)

    return word


async def run(tx: Tx, asked: Asked, limit: int = PAGE) -> Sheet:
    """The figures. Refused `too_many_rows` where a table would have more rows than a report may."""
    report = asked.report
    if report.kind == "made":
        assert report.make is not None
        sheet = await report.make(tx, asked)
    elif report.kind == "list":
        sheet = await _list(tx, asked, limit)
    elif report.kind == "flow":
        sheet = await _flow(tx, asked)
    else:
        sheet = await _table(tx, asked)
    sheet.notes = [*await said(tx, asked), *report.notes, *sheet.notes]
    return sheet


def keys_of(asked: Asked) -> list[Field]:
    subject = SUBJECTS[asked.report.subject]
    names = ([asked.grain] if asked.report.grain else []) + list(asked.report.rows)
    return [subject.get(name) for name in names]


async def _table(tx: Tx, asked: Asked) -> Sheet:
    subject = SUBJECTS[asked.report.subject]
    keys, values = keys_of(asked), [subject.get(name) for name in asked.report.values]
    across = subject.get(asked.report.across) if asked.report.across else None
    rows = await store_report.grouped(tx, asked.question(), [*keys, *([across] if across else [])], values, MOST_ROWS + 1)
    _few(rows)
    return _extra(pivot(rows, keys, across, values, words(asked.where, asked.report)), asked)


async def _flow(tx: Tx, asked: Asked) -> Sheet:
    report, subject = asked.report, SUBJECTS[asked.report.subject]
    assert report.flow is not None
    keys = keys_of(asked)
    parts = [subject.get("phase"), subject.get(report.flow.act)]
    if any(spans for _, _, _, spans in report.flow.classes):
        parts.append(subject.get("span"))
    amount = subject.get(report.flow.amount)
    rows = await store_report.grouped(tx, asked.question(opening=True), [*keys, *parts], [amount], MOST_ROWS + 1)
    _few(rows)
    sheet = flow_sheet(rows, report, keys, words(asked.where, report))
    whole = not asked.conditions and not report.fixed
    if report.flow.account and whole:
        stands = await store_report.ledger_balance(tx, asked.where.ids, report.flow.account, asked.last, asked.stand.entries)
        fen = report.flow.ledger_sign * stands
        text = f"{report.flow.closing} {yuan(sheet.sums.get('closing', 0))} ＝ 台账余额 {yuan(fen)}"
        sheet.checks.append(Check(text, sheet.sums.get("closing", 0) - fen))
    return _extra(sheet, asked)


async def _list(tx: Tx, asked: Asked, limit: int) -> Sheet:
    report, subject = asked.report, SUBJECTS[asked.report.subject]
    fields = [subject.get(name) for name in report.columns]
    values = [one for one in fields if one.measure]
    question = asked.question()
    after = read_place(asked.after, question) if asked.after else None
    plain = [one for one in fields if not one.count]
    rows = await store_report.lines(tx, question, plain, after, limit + 1, _EXTRA.get(subject.key, ()))
    found = await store_report.totals(tx, question, values)
    word = words(asked.where, report)
    shown = rows[:limit]
    made = [told(row, fields, subject.key, asked, word) for row in shown]
    columns = tuple(column_of(one) for one in fields if not one.count)
    sheet = Sheet(columns, made, {one.key: found[one.key] for one in values if not one.count}, found["n"], subject.word)
    sheet.more = place_of(shown[-1], question) if len(rows) > limit else ""
    return sheet


_EXTRA: Mapping[str, Sequence[str]] = {
    "receipts": ("receipt_id", "reversed_entry"),
    "voids": ("receipt_id",),
    "prints": ("receipt_id",),
    "closes": ("close_id",),
}


def told(row: Mapping[str, Any], fields: Sequence[Field], subject: str, asked: Asked, word: Wordy) -> dict[str, Any]:
    """A row with its words. A receipt is 已作废 once its reversal is among the entries that count."""
    made = {one.key: row[one.key] if one.measure else word(one.key, row[one.key]) for one in fields if not one.count}
    if isinstance(until := made.get("period_to"), date):
        made["period_to"] = until - timedelta(days=1)
    taken_back = row.get("reversed_entry")
    if taken_back and taken_back <= asked.stand.entries.get(row["project_id"], 0) and "status" in made:
        made["status"] = "已作废"
    link = SUBJECTS[subject].link
    made["_url"] = link(row) if link is not None else ""
    return made


def place_of(row: Mapping[str, Any], asked: Question) -> str:
    values = [asked_for(row[name]) for name in (asked.subject.day, *asked.subject.order)]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def read_place(text: str, asked: Question) -> list[object]:
    """Refused `bad_cursor` for what `place_of` did not give out."""
    try:
        values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        day, *rest = values
        if len(rest) != len(asked.subject.order) or not all(isinstance(one, str) and "\0" not in one for one in rest):
            raise ValueError("another list's place")
        return [date.fromisoformat(day), *[int(one) if one.lstrip("-").isdigit() else one for one in rest]]
    except (ValueError, TypeError):
        raise Refused("bad_cursor", "这个地址不完整，请从第一页看起", "not a place to go on", field="after") from None


def _few(rows: Sequence[object]) -> None:
    if len(rows) > MOST_ROWS:
        zh = f"这张表会超过 {MOST_ROWS:,} 行。请缩短期间、选一个子公司或项目，或改成按月、按年汇总"
        raise Refused("too_many_rows", zh, f"more than {MOST_ROWS} rows", field="first")


def _extra(sheet: Sheet, asked: Asked) -> Sheet:
    """Columns that are computed from a row: an age, a percentage."""
    report = asked.report
    if report.extra is not None:
        for row in sheet.rows:
            row.update(report.extra(row, asked.last))
        sheet.columns = (*sheet.columns, *report.extra_columns)
    return sheet


async def said(tx: Tx, asked: Asked) -> list[str]:
    """What has to be said about the days: not there yet, before the books, closed for ever, late entries."""
    found = []
    if asked.last > asked.today:
        found.append(f"{asked.last} 还没到，下面是到 {asked.today} 为止已入账的数")
    if not SUBJECTS[asked.report.subject].bound:
        return found
    began = await store_report.first_day(tx, asked.where.ids)
    if began is None:
        found.append("这里还没有入过账")
    elif asked.last < began:
        found.append(f"{began} 才有第一笔账，{asked.last} 以前没有数")
    elif asked.first < began and not asked.report.as_of:
        found.append(f"账从 {began} 开始，以前没有数")
    closed = await store_report.closed_months(tx, asked.where.ids, asked.first, asked.last)
    if closed:
        whole = [f"{day:%Y-%m}" for day, n in closed.items() if n == len(asked.where.ids)]
        part = [f"{day:%Y-%m}（{n}/{len(asked.where.ids)} 个项目）" for day, n in closed.items() if n < len(asked.where.ids)]
        found.append(f"已月结：{'、'.join([*whole, *part])}，这些月的数不会再变")
    n, fen = await store_report.late(tx, asked.where.ids, asked.first, asked.last)
    if n:
        found.append(f"其中 {n} 笔 {yuan(fen)} 元是补入的往日账，明细“关联日期”列写明原来的日子")
    return found


def frame(asked: Asked, by: str, now: datetime) -> Frame:
    report, subject = asked.report, SUBJECTS[asked.report.subject]
    word = words(asked.where, report)
    conditions = [
        f"{subject.get(key).title} {'、'.join('（空）' if value == '-' else str(word(key, value)) for value in values)}"
        for key, values in asked.conditions.items()
        if values != ["all"]
    ]
    if report.grain:
        conditions.insert(0, f"按{GRAINS[asked.grain]}汇总")
    stand = asked.stand.text if subject.bound else ""
    period = period_text(report, asked.first, asked.last)
    return Frame(report.title, report.no, asked.where.name, subject.basis, period, tuple(conditions), by, now, stand)
