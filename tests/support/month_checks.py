"""Is the month in the product what the second books say? Every function compares one side of it to the fen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping
from datetime import date
from typing import TypeVar

from cloud.access import service as access
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from tests.support import month_reports
from tests.support.month import DECEMBER, LAST, Month
from tests.support.month_books import Books

T = TypeVar("T", bound=Hashable)
LIES = ("cash_drawer", "cash_in_transit", "bank", "provider_clearing", "refund_payable", "deposit", "over_short")


async def everything(month: Month) -> None:
    db = month.world.db
    async with db.tx(await access.everything(db)) as tx:
        await accounts_by_day(tx, month.world.books)
        await where_money_lies(tx, month.world.books)
        await balances_of_a_past_day(tx, month)
        await takings(tx, month.world.books)
        await receipts(tx, month)
        await held_money(tx, month.world.books)
        await closes(tx, month)
        await cash_on_its_way(tx, month)
        for site in month.world.sites:
            await bills(tx, month, site.project)
        await names(tx, month)
        await month_reports.everything(tx, month)


async def accounts_by_day(tx: Tx, books: Books) -> None:
    """Each account on each day, and each day's entries come to nothing."""
    rows = await tx.fetch_all("SELECT project_id, day, account, amount_fen FROM report_ledger_days", ())
    same({(row["project_id"], row["day"], row["account"]): row["amount_fen"] for row in rows}, books.days)


async def where_money_lies(tx: Tx, books: Books) -> None:
    """Whose drawer, which slip, which transfer, which deposit: straight from the postings."""
    rows = await tx.fetch_all(
        "SELECT project_id, account, root, coalesce(ref, '') AS ref, sum(amount_fen)::bigint AS fen FROM ledger_postings"
        " WHERE root = ANY(%s) GROUP BY project_id, account, root, ref",
        (list(LIES),),
    )
    wanted = {key: fen for key, fen in books.refs.items() if key[1].partition(":")[0] in LIES}
    same({(row["project_id"], row["account"], row["ref"]): row["fen"] for row in rows}, wanted)


async def balances_of_a_past_day(tx: Tx, month: Month) -> None:
    """What `ledger.balances` answers about the 16th and about today is what had been posted by then."""
    for site in month.world.sites:
        for day in (date(2026, 11, 16), DECEMBER):
            found = await ledger.balances(tx, [site.project], "", day)
            wanted: Counter[str] = Counter()
            for (project, on, account), fen in month.world.books.days.items():
                if project == site.project and on <= day:
                    wanted[account] += fen
            same(found, wanted)


async def takings(tx: Tx, books: Books) -> None:
    """Takings by project, day and tender; receipts by project, day and item."""
    rows = await tx.fetch_all(
        "SELECT project_id, business_date, tender, sum(amount_fen)::bigint AS fen FROM report_takings"
        " GROUP BY project_id, business_date, tender",
        (),
    )
    same({(row["project_id"], row["business_date"], row["tender"]): row["fen"] for row in rows}, books.tenders)
    rows = await tx.fetch_all(
        "SELECT r.project_id, r.business_date, l.item, sum(l.principal_fen + l.late_fee_fen)::bigint AS fen"
        " FROM receipts r JOIN receipt_lines l ON l.receipt_id = r.id GROUP BY r.project_id, r.business_date, l.item",
        (),
    )
    same({(row["project_id"], row["business_date"], row["item"]): row["fen"] for row in rows}, books.items)


async def receipts(tx: Tx, month: Month) -> None:
    """Every book counts 1, 2, 3, ...; there are as many receipts as were given."""
    rows = await tx.fetch_all(
        "SELECT r.project_id, b.code, array_agg(r.number ORDER BY r.number) AS numbers"
        " FROM receipts r JOIN receipt_books b ON b.id = r.book_id GROUP BY r.project_id, b.code",
        (),
    )
    assert all(row["numbers"] == list(range(1, len(row["numbers"]) + 1)) for row in rows)
    counted: Counter[int] = Counter()
    for row in rows:
        counted[row["project_id"]] += len(row["numbers"])
    assert counted == month.world.books.receipts
    assert {row["code"] for row in rows} == {"FQ-B", "XH-B", "XY-B", "GATE-01"}, "two windows of one project write one book"


async def held_money(tx: Tx, books: Books) -> None:
    """Wallets and deposits: as they stand, as their movements say, as the ledger says."""
    rows = await tx.fetch_all("SELECT id, coalesce(room_id, -owner_id) AS holder, purpose, balance_fen FROM wallets", ())
    same({(row["holder"], row["purpose"]): row["balance_fen"] for row in rows}, books.wallets)
    assert all(row["balance_fen"] >= 0 for row in rows)
    rows = await tx.fetch_all(
        "SELECT project_id, business_date, purpose, sum(amount_fen)::bigint AS fen FROM report_wallets"
        " GROUP BY project_id, business_date, purpose",
        (),
    )
    found = {(row["project_id"], row["business_date"], f"prepayment:{row['purpose']}"): -row["fen"] for row in rows}
    same(found, {key: fen for key, fen in books.days.items() if key[2].startswith("prepayment:")})
    rows = await tx.fetch_all("SELECT deposit_id, sum(amount_fen)::bigint AS fen FROM report_deposits GROUP BY deposit_id", ())
    same({row["deposit_id"]: row["fen"] for row in rows}, books.deposits)
    rows = await tx.fetch_all(
        "SELECT project_id, business_date, item, sum(amount_fen)::bigint AS fen FROM report_deposits"
        " GROUP BY project_id, business_date, item",
        (),
    )
    found = {(row["project_id"], row["business_date"], f"deposit:{row['item']}"): -row["fen"] for row in rows}
    same(found, {key: fen for key, fen in books.days.items() if key[2].startswith("deposit:")})


async def closes(tx: Tx, month: Month) -> None:
    """Each day's sheet says what was taken that day, by tender and by item; the month is the sum of its days."""
    books, vault = month.world.books, month.vault
    days = {(one.project_id, one.day) for one in vault.closes}
    assert days == {(site.project, date(2026, 11, day)) for site in month.world.sites for day in range(1, LAST.day + 1)}
    by_tender: Counter[tuple[int, date, str]] = Counter()
    by_item: Counter[tuple[int, date, str]] = Counter()
    over: Counter[tuple[int, date, str]] = Counter()
    for one in vault.closes:
        sheet = json.loads(one.sheet)
        for row in sheet["items"]:
            by_tender[one.project_id, one.day, row["tender"]] += row["fen"]
            by_item[one.project_id, one.day, row["item"]] += row["fen"]
        assert sheet["cash_fen"] == books.tenders[one.project_id, one.day, "cash"], (one.day, sheet["cash_fen"])
        over[one.project_id, one.day, "over_short"] -= sheet["over_short_fen"]
    same({key: fen for key, fen in by_tender.items() if key[2] != "wallet"}, within(books.tenders))
    same(by_item, within(books.items))
    same(over, within({key: fen for key, fen in books.days.items() if key[2] == "over_short"}))
    for site in month.world.sites:
        assert await ledger.closed_through(tx, site.project) == LAST
        assert not await ledger.month_is_open(tx, site.project, LAST)


def within(sums: Mapping[tuple[int, date, str], int]) -> dict[tuple[int, date, str], int]:
    """Of November: the 1st of December is not closed."""
    return {key: fen for key, fen in sums.items() if key[1] <= LAST}


async def cash_on_its_way(tx: Tx, month: Month) -> None:
    """What was taken in cash lies in a drawer, in a hand, on its way to the bank or in the bank."""
    books, vault = month.world.books, month.vault
    rows = await tx.fetch_all("SELECT project_id, sum(fen)::bigint AS fen FROM report_transit GROUP BY project_id", ())
    wanted: Counter[int] = Counter()
    for site, _, fen in vault.slips:
        wanted[site.project] += fen
    for (project, _, _), (_, fen) in vault.hand.items():
        wanted[project] += fen
    same({row["project_id"]: row["fen"] for row in rows}, wanted)
    for site in month.world.sites:
        assert books.balance(site.project, "cash_in_transit") == wanted[site.project]


async def bills(tx: Tx, month: Month, project: int) -> None:
    """Each open line owes what it should, with its late fee to the day; no line is both paid and open; each explains itself."""
    books, day = month.world.books, DECEMBER
    lines = await fees.open_lines_of_rooms(tx, project, None, day)
    open_bills = {bill.id: bill for bill in books.every_bill(project) if bill.open(day)}
    assert {line.id for line in lines} == set(open_bills)
    for line in lines:
        bill = open_bills[line.id]
        got = (line.amount_fen, line.discount_fen, line.paid_fen, line.late_paid_fen, line.due_fen, line.payer_id)
        wanted = (bill.amount, bill.waived, bill.paid + bill.late_paid, bill.late_paid, bill.owes(day), bill.payer)
        assert got == wanted, line
        assert line.status == ("part" if line.paid_fen else "open"), line
    rows = await tx.fetch_all("SELECT status, count(*) AS n FROM charge_lines WHERE project_id = %s GROUP BY status", (project,))
    states = {row["status"]: row["n"] for row in rows}
    assert states["paid"] == sum(not bill.open(day) for bill in books.every_bill(project))
    calculated = [
        line.id
        for line in lines
        if line.item.code in ("property", "garbage") and line.adjusts is None and open_bills[line.id].explained
    ]
    for line_id in calculated[:: max(1, len(calculated) // 60)]:
        assert await fees.explain_again(tx, project, line_id) is not None


async def names(tx: Tx, month: Month) -> None:
    """An erased owner is a number everywhere, and the books keep no name or salt of theirs (O-10)."""
    gone = [owner for site in month.world.sites for owner in site.erased]
    rows = await tx.fetch_all("SELECT name, status FROM owners WHERE id = ANY(%s)", (gone,))
    assert len(rows) == len(gone) and all(row["status"] == "erased" and row["name"].startswith("业主 ") for row in rows)
    subjects = [f"owner:{owner}" for owner in gone]
    assert await tx.fetch_all("SELECT entry_id FROM ledger_personal WHERE subject = ANY(%s)", (subjects,)) == []


def same(found: Mapping[T, int], wanted: Mapping[T, int]) -> None:
    """Equal but for zeroes; what differs is said."""
    differ = {
        key: (found.get(key, 0), wanted.get(key, 0)) for key in {*found, *wanted} if found.get(key, 0) != wanted.get(key, 0)
    }
    assert not differ, f"{len(differ)} of {len(wanted)} differ (product, second books): {dict(list(differ.items())[:8])}"
