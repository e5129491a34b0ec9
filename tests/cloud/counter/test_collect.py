"""A cashier takes money: once per key, once per line, gapless, to the fen, inside the company (C-01 .. C-07, N-03)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from cloud.counter import service as counter
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from protocols.errors import Conflict, NotFound, Refused
from tests.support.money import BOTH, EAST, NOON, NORTH, bill, cashier, line, request, shift


async def counts(money_db) -> dict[str, int]:
    async with money_db.tx(BOTH) as tx:
        report = await counter.verify(tx)
        assert report.ok, report.faults
        assert await ledger.balanced(tx)
        return await counter.counts(tx)


async def pay(money_db, wanted: counter.CollectRequest, person: int = 1) -> counter.Receipt:
    async with money_db.tx(EAST) as tx:
        return await counter.collect(tx, wanted, cashier(person), NOON)


async def seeded(money_db) -> tuple[counter.Shift, list[int]]:
    """An open shift, and room 101 owing 225.00 and 78.00."""
    async with money_db.tx(EAST) as tx:
        lines = await bill(tx, line(101, 22_500), line(101, 7_800, item="water"))
        return await shift(tx), lines


async def test_a_payment_makes_receipt_entry_and_paid_lines(money_db):
    """C-01, C-03, C-07"""
    opened, lines = await seeded(money_db)
    receipt = await pay(money_db, request(opened, 101, lines, 30_300, tendered=31_000))
    assert (receipt.no, receipt.draft.total_fen, receipt.draft.change_fen, receipt.payer) == (
        "FQ-B 0000001",
        30_300,
        700,
        "业主101",
    )
    assert [(one.item_name, one.amount_fen) for one in receipt.draft.lines] == [("物业费", 22_500), ("水费", 7_800)]
    async with money_db.tx(EAST) as tx:
        assert await fees.open_lines(tx, 11, 101, NOON.date()) == []
        drawer = await tx.fetch_one("SELECT float_fen, cash_fen FROM report_drawers", ())
        takings = await tx.fetch_all("SELECT project_id, tender, kind, amount_fen, book, number FROM report_takings", ())
        owed = await tx.fetch_one("SELECT sum(amount_fen)::int AS fen FROM ledger_postings WHERE root = 'receivable'", ())
    assert drawer == {"float_fen": 20_000, "cash_fen": 30_300}
    assert takings == [{"project_id": 11, "tender": "cash", "kind": "counter", "amount_fen": 30_300, "book": "FQ-B", "number": 1}]
    assert owed == {"fen": 0}
    assert await counts(money_db) == {"counter": 1, "lane_cash": 0, "order": 0, "fen": 30_300}


async def test_a_double_click_is_one_receipt(money_db):
    """C-06: one after the other, and ten at once."""
    opened, lines = await seeded(money_db)
    wanted = request(opened, 101, lines, 30_300)
    done = await asyncio.gather(*(pay(money_db, wanted) for _ in range(10)))
    done.append(await pay(money_db, replace(wanted, line_ids=tuple(reversed(lines)))))
    assert len({receipt.id for receipt in done}) == 1
    assert (await counts(money_db))["counter"] == 1


async def test_a_key_used_for_something_else_is_a_conflict(money_db):
    """C-06, N-02"""
    opened, lines = await seeded(money_db)
    await pay(money_db, request(opened, 101, lines[:1], 22_500))
    with pytest.raises(Conflict, match="key_used"):
        await pay(money_db, request(opened, 101, lines[1:], 7_800))
    assert (await counts(money_db))["fen"] == 22_500


async def test_one_key_for_two_things_at_once_books_one(money_db):
    opened, lines = await seeded(money_db)
    wanted = [request(opened, 101, lines[:1], 22_500), request(opened, 101, lines[1:], 7_800)]
    done = await asyncio.gather(*(pay(money_db, one) for one in wanted), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Conflict", "Receipt"]
    assert (await counts(money_db))["counter"] == 1


async def test_ten_counters_at_one_line_make_one_receipt_and_name_who_took_it(money_db):
    """N-03, C-06"""
    async with money_db.tx(EAST) as tx:
        lines = await bill(tx, line(101, 22_500))
        shifts = [await shift(tx, person=number) for number in range(1, 11)]
    done = await asyncio.gather(
        *(pay(money_db, request(one, 101, lines, 22_500, key=f"key-{one.id:04d}"), one.user_id) for one in shifts),
        return_exceptions=True,
    )
    receipts = [one for one in done if isinstance(one, counter.Receipt)]
    refused = [one for one in done if isinstance(one, Conflict)]
    assert (len(receipts), len(refused)) == (1, 9)
    assert {one.code for one in refused} == {"already_paid"}
    assert all(receipts[0].draft.cashier_name in one.zh and receipts[0].no in one.zh for one in refused)
    assert (await counts(money_db))["fen"] == 22_500


async def test_fifty_counters_on_one_project_get_gapless_numbers(money_db):
    """N-03, C-07: and transactions that die in the middle leave no hole."""
    async with money_db.tx(EAST) as tx:
        await bill(tx, *(line(101 + number, 1_000 + number) for number in range(50)))
        shifts = [await shift(tx, person=number) for number in range(1, 51)]

    async def one(index: int) -> counter.Receipt:
        room = 101 + index
        async with money_db.tx(EAST) as tx:
            lines = [line.id for line in await counter.open_lines(tx, 11, room, NOON)]
            wanted = request(shifts[index], room, lines, 1_000 + index, key=f"key-{index:04d}")
            receipt = await counter.collect(tx, wanted, cashier(index + 1), NOON)
            if index % 10 == 3:
                raise RuntimeError("power")
            return receipt

    done = await asyncio.gather(*(one(index) for index in range(50)), return_exceptions=True)
    numbers = sorted(receipt.number for receipt in done if isinstance(receipt, counter.Receipt))
    assert numbers == list(range(1, 46))
    assert (await counts(money_db))["counter"] == 45


async def test_a_crash_in_the_middle_leaves_nothing(money_db):
    opened, lines = await seeded(money_db)
    with pytest.raises(RuntimeError, match="power"):
        async with money_db.tx(EAST) as tx:
            await counter.collect(tx, request(opened, 101, lines, 30_300), cashier(), NOON)
            raise RuntimeError("power")
    async with money_db.tx(EAST) as tx:
        assert len(await fees.open_lines(tx, 11, 101, NOON.date())) == 2
    assert (await pay(money_db, request(opened, 101, lines, 30_300))).number == 1
    assert (await counts(money_db))["counter"] == 1


async def test_a_changed_amount_books_nothing(money_db):
    """DESIGN 3: the server computes each amount, a client's amount is only compared."""
    opened, lines = await seeded(money_db)
    for told in (30_299, 30_301, 0):
        with pytest.raises(Refused, match="amount_changed") as refused:
            await pay(money_db, request(opened, 101, lines, told, tendered=40_000))
        assert refused.value.facts == {"due_fen": 30_300}
    assert (await counts(money_db))["counter"] == 0


@pytest.mark.parametrize(
    ("offers", "code"),
    [
        ((counter.Offer("cash", 30_299),), "tendered_too_little"),
        ((counter.Offer("pos", 30_301, "A1"),), "change_exceeds_cash"),
        ((counter.Offer("pos", 30_300, "A1"), counter.Offer("pos", 1, "A2")), "change_exceeds_cash"),
        ((counter.Offer("cash", 100), counter.Offer("pos", 30_301, "A1")), "change_exceeds_cash"),
        ((counter.Offer("pos", 30_300),), "bad_tender"),
        ((counter.Offer("cash", 30_300), counter.Offer("cash", 1)), "bad_tender"),
        ((counter.Offer("cash", 40_000), counter.Offer("pos", -9_700, "A1")), "bad_tender"),
    ],
)
async def test_change_comes_only_from_cash(money_db, offers, code):
    """C-03, Q-62"""
    opened, lines = await seeded(money_db)
    with pytest.raises(Refused, match=code):
        await pay(money_db, request(opened, 101, lines, 30_300, offers=offers))
    assert (await counts(money_db))["counter"] == 0


async def test_a_mixed_payment_goes_where_the_money_lies(money_db):
    """C-02, Q-62"""
    opened, lines = await seeded(money_db)
    offers = (counter.Offer("cash", 11_000), counter.Offer("pos", 20_000, "A1"))
    receipt = await pay(money_db, request(opened, 101, lines, 30_300, offers=offers))
    assert receipt.draft.change_fen == 700
    async with money_db.tx(EAST) as tx:
        rows = await tx.fetch_all("SELECT tender, amount_fen FROM report_takings ORDER BY tender", ())
    assert rows == [{"tender": "cash", "amount_fen": 10_300}, {"tender": "pos", "amount_fen": 20_000}]
    await counts(money_db)


async def test_a_line_is_paid_in_parts_by_two_receipts(money_db):
    """C-04, Q-60"""
    opened, lines = await seeded(money_db)
    with pytest.raises(Refused, match="part_payment"):
        await pay(money_db, request(opened, 101, lines, 30_300, tendered=25_000, part=25_000))
    await pay(money_db, request(opened, 101, lines, 30_300, tendered=20_000, part=20_000))
    async with money_db.tx(EAST) as tx:
        left, _ = await fees.open_lines(tx, 11, 101, NOON.date())
    assert (left.item.code, left.status, left.due_fen) == ("property", "part", 2_500)
    await pay(money_db, request(opened, 101, lines, 10_300, key="key-0002"))
    assert await counts(money_db) == {"counter": 2, "lane_cash": 0, "order": 0, "fen": 30_300}


async def test_lines_of_another_room_project_or_company_do_not_exist(money_db):
    """0.6: a form with another company's ids."""
    opened, lines = await seeded(money_db)
    async with money_db.tx(NORTH) as tx:
        foreign = await bill(tx, line(201, 5_000, project=21), project=21, company=2)
        theirs = await shift(tx, person=9, project=21)
    async with money_db.tx(EAST) as tx:
        other = await bill(tx, line(102, 5_000))
    for wrong in (foreign, other, [*lines, *foreign], [999_999], []):
        with pytest.raises(NotFound, match="line_not_found"):
            await pay(money_db, request(opened, 101, wrong, 5_000))
    with pytest.raises(Refused, match="no_shift"):
        await pay(money_db, replace(request(theirs, 201, foreign, 5_000), shift_id=theirs.id), 9)
    async with money_db.tx(EAST) as tx:
        with pytest.raises(NotFound):
            await counter.open_lines(tx, 21, 201, NOON)
        with pytest.raises(NotFound):
            await counter.open_lines(tx, 11, 201, NOON)
    assert (await counts(money_db))["counter"] == 0


async def test_no_payment_without_the_persons_own_open_shift(money_db):
    """C-30"""
    opened, lines = await seeded(money_db)
    wanted = request(opened, 101, lines, 30_300)
    for other in (replace(wanted, terminal="窗口 9"), replace(wanted, shift_id=opened.id + 1), replace(wanted, project_id=12)):
        with pytest.raises(Refused, match="no_shift"):
            await pay(money_db, other)
    with pytest.raises(Refused, match="no_shift"):
        await pay(money_db, wanted, person=2)


async def test_one_open_shift_a_person_and_a_terminal(money_db):
    """C-30"""
    async with money_db.tx(EAST) as tx:
        first = await shift(tx)
        assert (await shift(tx)).id == first.id
        with pytest.raises(Conflict, match="shift_open"):
            await shift(tx, terminal="窗口 2")
        with pytest.raises(Conflict, match="terminal_taken"):
            await shift(tx, person=2, terminal="窗口 1")
        with pytest.raises(NotFound):
            await shift(tx, person=3, project=21)

    async def open_one(person: int) -> counter.Shift:
        async with money_db.tx(EAST) as tx:
            return await shift(tx, person=person, terminal="窗口 7")

    done = await asyncio.gather(*(open_one(person) for person in range(10, 15)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Conflict"] * 4 + ["Shift"]


async def test_a_full_book_takes_no_payment(money_db, money_admin):
    """C-08"""
    opened, lines = await seeded(money_db)
    money_admin.execute("UPDATE receipt_books SET last_number = 1")
    await pay(money_db, request(opened, 101, lines[:1], 22_500))
    with pytest.raises(Refused, match="book_full"):
        await pay(money_db, request(opened, 101, lines[1:], 7_800, key="key-0002"))
    assert (await counts(money_db))["counter"] == 1


async def test_takings_are_told_at_once(money_db, listening):
    """0.1"""
    opened, lines = await seeded(money_db)
    async with listening() as heard:
        await pay(money_db, request(opened, 101, lines, 30_300))
        topic, payload = await asyncio.wait_for(heard.get(), 5)
    assert topic == "takings"
    assert payload["project_id"] == 11


@pytest.mark.parametrize("method", ["wechat", "alipay", "simulated"])
async def test_a_cashiers_word_is_no_provider(money_db, hub_client, method):
    """C-14: no line is paid by WeChat because somebody says so; the provider's notice says it."""
    async with money_db.tx(EAST) as tx:
        lines = await bill(tx, line(101, 22_500))
    await hub_client.log_in("cashier", project=11)
    opened = (await hub_client.post("/api/v1/counter/shifts", json={"project": 11, "terminal": "窗口 1"})).json()
    body = {"project": 11, "room": 101, "line_ids": lines, "expected_total_fen": 22_500, "shift": opened["id"]}
    body |= {"terminal": "窗口 1"}
    one = {"tender": method, "tendered_fen": 22_500, "reference": "4200001"}
    mixed = {"tenders": [{"method": method, "tendered_fen": 22_500, "reference": "4200001"}]}
    for tender in (one, mixed):
        answer = await hub_client.post("/api/v1/counter/collect", json=body | tender | {"key": "key-0001"})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_input")
    assert (await counts(money_db))["counter"] == 0
