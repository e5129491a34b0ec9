"""The reports of the month against each other, the closes, the ledger and the second books, equation by equation (issue 5).

(1) details by project, day, item and tender = the day's sheet = what the second books took
(2) summary by day = details, and by month, by year = the sum of its days
(3) takings by tender, without what was held before = details
(4) arrears: opening + billed + adjusted − cancelled − given − collected = closing = 应收账款 of the ledger = the second books
(5) collected on bills in arrears, by item and day = bills' lines in details less late fee, plus deductions, offsets and refunds
(6) prepayments and deposits: closing = ledger = second books
(7) the group's totals = the sum of the projects' own
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, datetime
from typing import Any

from cloud.reports import running, store_report
from cloud.reports.defs import REPORTS
from cloud.reports.defs.arrears import PAID
from cloud.reports.domain_report import Field, Sheet
from cloud.reports.store_report import Question
from cloud.reports.subjects import MOVES, RECEIPTS
from cloud.shared.db import Tx
from cloud.shared.places import Place, look
from tests.support.month import DECEMBER, LAST, Month
from tests.support.month_world import FIRST, at

MONTH = {"first": FIRST.isoformat(), "last": LAST.isoformat()}
WHOLE = {"first": FIRST.isoformat(), "last": DECEMBER.isoformat()}


async def everything(tx: Tx, month: Month) -> None:
    now = at(DECEMBER, 12)
    where = await look(tx, None)
    await details(tx, month, where)
    await summaries(tx, where, now)
    await arrears(tx, month, where, now)
    await collected(tx, month, where)
    await held(tx, month, where, now)
    await groups(tx, where, now)


async def sheet(tx: Tx, code: str, where: Place, now: datetime, **query: str) -> Sheet:
    asked = await running.ask(tx, REPORTS[code], where, query, now)
    found = await running.run(tx, asked, 1_000_000)
    assert all(one.ok for one in found.checks), (code, found.checks)
    return found


async def sums(tx: Tx, where: Place, subject: Any, keys: tuple[str, ...], value: str) -> dict[tuple[Any, ...], int]:
    heads = await store_report.heads(tx, where.ids)
    entries = {project: heads[project][1] for project in where.ids}
    question = Question(subject, where.ids, entries, FIRST, DECEMBER, FIRST)
    fields: list[Field] = [subject.get(key) for key in keys]
    rows = await store_report.grouped(tx, question, fields, [subject.get(value)])
    return {tuple(row[key] for key in keys): row[value] for row in rows if row[value]}


def nonzero(found: Any) -> dict[Any, int]:
    return {key: fen for key, fen in found.items() if fen}


async def details(tx: Tx, month: Month, where: Place) -> None:
    """(1) and (3)."""
    books = month.world.books
    parts = await sums(tx, where, RECEIPTS, ("project", "day", "item", "tender"), "amount_fen")
    closed: Counter[tuple[int, date, str, str]] = Counter()
    for one in month.vault.closes:
        for row in json.loads(one.sheet)["items"]:
            closed[one.project_id, one.day, row["item"], row["tender"]] += row["fen"]
    november = {key: fen for key, fen in parts.items() if key[1] <= LAST and key[2] != "suspense"}
    assert november == nonzero(closed), "(1) details = the days' sheets, by project, day, item and tender"
    by_item: Counter[tuple[int, date, str]] = Counter()
    for (project, day, item, _), fen in parts.items():
        by_item[project, day, item] += fen
    assert nonzero(by_item) == nonzero(books.items), "(1) details = the second books, by item"
    money = await sums(tx, where, RECEIPTS, ("project", "day", "tender"), "received_fen")
    assert money == nonzero(books.tenders), "(3) takings = the second books, by tender"
    rows = await tx.fetch_all(
        "SELECT project_id, business_date, tender, sum(amount_fen)::bigint AS fen FROM report_takings GROUP BY 1, 2, 3", ()
    )
    assert money == {(row["project_id"], row["business_date"], row["tender"]): row["fen"] for row in rows if row["fen"]}


async def summaries(tx: Tx, where: Place, now: datetime) -> None:
    """(2)."""
    listed = await sheet(tx, "details", where, now, **WHOLE)
    wanted: Counter[tuple[object, object, object]] = Counter()
    for row in listed.rows:
        wanted[row["day"], row["project"], row["tender"]] += row["amount_fen"]
    tenders = {"现金": "cash", "刷卡": "pos", "转账": "transfer", "预存": "wallet"}
    for grain in ("day", "week", "month", "year"):
        found = await sheet(tx, "summary", where, now, by=grain, **WHOLE)
        assert found.sums["amount_fen"] == listed.sums["amount_fen"], f"(2) {grain}"
        for word, tender in tenders.items():
            total = sum(fen for (_, _, named), fen in wanted.items() if named == word)
            assert found.sums.get(f"amount_fen:{tender}", 0) == total, f"(2) {grain} {word}"
    by_day = await sheet(tx, "summary-project", where, now, by="day", **WHOLE)
    got = {
        (row["day"], row["project"], word): row.get(f"received_fen:{tender}", 0)
        for row in by_day.rows
        for word, tender in tenders.items()
    }
    assert nonzero(got) == {key: fen for key, fen in wanted.items() if fen and key[2] != "预存"}, "(2) a day and tender"


async def arrears(tx: Tx, month: Month, where: Place, now: datetime) -> None:
    """(4); the page checks the identity and the ledger itself, `sheet` asserts it."""
    for project in where.projects:
        place = await look(tx, project.at)
        for first, last in ((FIRST, LAST), (FIRST, DECEMBER), (date(2026, 11, 10), date(2026, 11, 16)), (LAST, LAST)):
            found = await sheet(tx, "arrears", place, now, first=first.isoformat(), last=last.isoformat())
            assert len(found.checks) == 2, "identity and ledger are both compared"
            wanted = sum(fen for (where_, on, account), fen in month.world.books.days.items()
                         if where_ == project.id and account == "receivable" and on <= last)  # fmt: skip
            assert found.sums["closing"] == wanted, "(4) closing = the second books"
            assert not found.sums.get("other"), "(4) nothing that no column names"
            rooms = await sheet(tx, "arrears-rooms", place, now, first=first.isoformat(), last=last.isoformat())
            assert {key: fen for key, fen in rooms.sums.items() if fen} == {key: fen for key, fen in found.sums.items() if fen}
            lines = await sheet(tx, "open-lines", place, now, last=last.isoformat())
            assert lines.sums["closing"] == wanted, "(4) the open lines sum up to it"


async def collected(tx: Tx, month: Month, where: Place) -> None:
    """(5)."""
    moves = await sums(tx, where, MOVES, ("project", "day", "item", "act"), "principal_fen")
    late = await sums(tx, where, MOVES, ("project", "day", "item", "act"), "late_fee_fen")
    receipts = await sums(tx, where, RECEIPTS, ("project", "day", "item"), "amount_fen")
    bills = {item for _, _, item, _ in moves}
    by_receipt: Counter[tuple[int, date, str]] = Counter()
    for found in (moves, late):
        for (project, day, item, act), fen in found.items():
            if act == "collected":
                by_receipt[project, day, item] -= fen
    wanted = {key: fen for key, fen in receipts.items() if key[2] in bills}
    assert nonzero(by_receipt) == wanted, "(5) collected on bills = their lines in details"
    paid = Counter[tuple[int, date]]()
    for (project, day, _, act), fen in moves.items():
        if act not in ("billed", "opened", "adjusted", "cancelled", "waiver", "discount", "moved"):
            assert act in PAID, act
            paid[project, day] -= fen
    assert sum(paid.values()) > 0


async def held(tx: Tx, month: Month, where: Place, now: datetime) -> None:
    """(6)."""
    books = month.world.books
    for code, root in (
        ("wallets", "prepayment"),
        ("deposits", "deposit"),
        ("wallet-balances", "prepayment"),
        ("deposits-project", "deposit"),
    ):
        for last in (date(2026, 11, 16), LAST, DECEMBER):
            found = await sheet(tx, code, where, now, first=FIRST.isoformat(), last=last.isoformat())
            wanted = -sum(fen for (_, on, account), fen in books.days.items() if account.startswith(root) and on <= last)
            assert found.sums["closing"] == wanted, f"(6) {code} {last}"
            assert len(found.checks) == 2


async def groups(tx: Tx, where: Place, now: datetime) -> None:
    """(7), for every report with a total."""
    for report in REPORTS.values():
        group = await sheet(tx, report.code, where, now, **MONTH)
        parts: Counter[str] = Counter()
        count = 0
        for project in where.projects:
            mine = await sheet(tx, report.code, await look(tx, project.at), now, **MONTH)
            count += mine.count
            for key, value in mine.sums.items():
                if isinstance(value, int):
                    parts[key] += value
        assert nonzero({key: value for key, value in group.sums.items() if isinstance(value, int)}) == nonzero(parts), (
            f"(7) {report.code}"
        )
        assert count == group.count, f"(7) {report.code}"
