"""Cash to the bank: slips over closed days, deadlines, statements, arrival by somebody else (C-35 .. C-37, G-08, Y-02)."""

from __future__ import annotations

import asyncio
import io
from datetime import date, datetime, timedelta

import pytest
from openpyxl import Workbook

from cloud.counter import banking, closing, handover, statement
from cloud.counter import service as counter
from cloud.counter.domain_cash import deadline, last_due, older, working_days
from cloud.counter.statement import Columns
from protocols.errors import Conflict, NotFound, Refused
from protocols.time import SHANGHAI
from tests.cloud.counter.test_lane_cash import payment
from tests.support.cash import alarm, balance, count_shift, notes, person, takes
from tests.support.hub import CLOSE_KEY
from tests.support.money import BOTH, EAST, NOON, NORTH

DAY = NOON.date()
COLUMNS = Columns("日期", "金额", "摘要", "流水号")
FINANCE = person(90, "9001", "总部财务")


def sheet(*rows: tuple[str, str, str, str], encoding: str = "utf-8") -> bytes:
    return "\n".join(["账号,尾号 0417,,", "日期,金额,摘要,流水号", *(",".join(row) for row in rows)]).encode(encoding)


async def handed(db, fen: int = 30_300, *, user: int = 1, to: int = 2, room: int = 101, at: datetime = NOON) -> None:
    """Cash taken, counted even and received by cashier `to`."""
    opened = await takes(db, fen, user=user, room=room, at=at)
    count = await count_shift(db, opened.id, fen + 20_000, who=user, key=f"count-{opened.id:04d}", at=at)
    async with db.tx(EAST) as tx:
        offered = await handover.offer(tx, count.id, 20_000, person(user), at=at)
        await handover.confirm(tx, offered.handover_id or 0, fen, 20_000, person(to), at=at)


async def account(db) -> int:
    async with db.tx(EAST) as tx:
        made = await banking.store_banking.add_account(tx, 1, "icbc-0417", "示例银行枫桥支行", "0417", "华东公司")
    assert made is not None
    return made


async def close(db, day: date = DAY) -> None:
    async with db.tx(EAST) as tx:
        at = datetime.combine(day, NOON.timetz()) + timedelta(hours=8)
        await closing.close(tx, 11, day, person(2), CLOSE_KEY, key=f"close-{day}", at=at)


async def slip(db, account_id: int, *, who: int = 2, key: str = "slip-00001", days: tuple[date, ...] = (DAY,)) -> banking.Slip:
    async with db.tx(EAST) as tx:
        return await banking.make_slip(tx, 11, days, account_id, person(who), key=key, at=NOON + timedelta(hours=9))


async def read(db, account_id: int, content: bytes) -> banking.Imported:
    async with db.tx(EAST) as tx:
        return await banking.import_statement(tx, account_id, "11.csv", content, COLUMNS, FINANCE, at=NOON + timedelta(days=1))


async def test_cash_of_a_closed_day_goes_to_the_bank(money_db):
    """C-35, C-36: in transit by person, by slip, then banked; each an entry; due at 17:00 of the next working day."""
    there = await account(money_db)
    await handed(money_db)
    await close(money_db)
    made = await slip(money_db, there)
    assert (made.amount_fen, made.state, made.no) == (30_300, "transit", f"JK2611-{made.id:04d}")
    assert made.deadline == datetime(2026, 11, 25, 17, 0, tzinfo=SHANGHAI)
    assert (await slip(money_db, there)).id == made.id
    done = await read(money_db, there, sheet(("2026-11-25", "303.00", f"现金存入 {made.no}", "S1")))
    assert [(no, short) for _, no, short in done.matched] == [(made.no, 0)]
    async with money_db.tx(EAST) as tx:
        assert await balance(tx, "cash_in_transit", "person:0202") == 0
        assert await balance(tx, "cash_in_transit", f"slip:{made.id}") == 30_300
        arrived = await banking.confirm_arrival(tx, made.id, [done.matched[0][0]], FINANCE, at=NOON + timedelta(days=1))
        again = await banking.confirm_arrival(tx, made.id, [done.matched[0][0]], FINANCE, at=NOON + timedelta(days=1))
        assert (arrived.state, again.arrived_fen) == ("banked", 30_300)
        assert await balance(tx, "bank", "bank:icbc-0417") == 30_300
        assert await balance(tx, "cash_in_transit") == 0
        assert (await counter.verify(tx)).ok


async def test_a_slip_over_an_open_day_or_over_nothing_is_refused(money_db):
    there = await account(money_db)
    await handed(money_db)
    with pytest.raises(Refused, match="day_open"):
        await slip(money_db, there)
    await close(money_db)
    with pytest.raises(Refused, match="nothing_to_bank"):
        await slip(money_db, there, who=3)
    with pytest.raises(Refused, match="nothing_to_bank"):
        await slip(money_db, there, days=(DAY - timedelta(days=1),))
    await slip(money_db, there)
    with pytest.raises(Refused, match="nothing_to_bank"):
        await slip(money_db, there, key="slip-00002")
    with pytest.raises(Conflict, match="key_used"):
        await slip(money_db, there, days=(DAY - timedelta(days=1),))


async def test_two_slips_at_once_bank_the_cash_once(money_db):
    there = await account(money_db)
    await handed(money_db)
    await close(money_db)
    done = await asyncio.gather(*(slip(money_db, there, key=f"slip-{n:05d}") for n in range(3)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Refused", "Refused", "Slip"]
    async with money_db.tx(EAST) as tx:
        assert await balance(tx, "cash_in_transit") == 30_300


async def test_nobody_confirms_what_they_deposited_received_or_counted(money_db):
    """Y-02, C-36: with one user holding every role it is still the same person."""
    there = await account(money_db)
    await handed(money_db)
    await close(money_db)
    made = await slip(money_db, there)
    done = await read(money_db, there, sheet(("2026-11-25", "303.00", f"现金存入 {made.no}", "S1")))
    for number in (1, 2):
        async with money_db.tx(EAST) as tx:
            with pytest.raises(Refused, match="own_deposit"):
                await banking.confirm_arrival(tx, made.id, [done.matched[0][0]], person(number), at=NOON)


async def test_the_same_statement_and_the_same_serial_count_once(money_db):
    """C-36: also two imports at once."""
    there = await account(money_db)
    fee, rest = ("2026-11-25", "-20.00", "手续费", "S2"), ("2026-11-25", "", "余额", "S3")
    first = sheet(("2026-11-25", "303.00", "现金", "S1"), fee, rest)
    done = await asyncio.gather(*(read(money_db, there, first) for _ in range(3)))
    assert sorted(one.again for one in done) == [False, True, True]
    more = await read(money_db, there, sheet(("2026-11-25", "303.00", "现金", "S1"), ("20261126", "1000.00", "现金", "S4")))
    assert (more.lines, more.added) == (2, 1)
    async with money_db.tx(EAST) as tx:
        found = await banking.store_banking.lines(tx, there)
    assert [(row["serial"], row["amount_fen"]) for row in found] == [("S4", 100_000), ("S1", 30_300)]


async def test_a_short_arrival_alarms_at_once_and_its_difference_needs_an_approval(money_db, listening):
    """C-36, G-08: at import, before anybody confirmed it; what is missing stays in transit until it is approved."""
    there = await account(money_db)
    await handed(money_db)
    await close(money_db)
    made = await slip(money_db, there)
    async with listening() as heard:
        done = await read(money_db, there, sheet(("2026-11-25", "203.00", f"存款 {made.no}", "S1")))
        _, told = await alarm(heard)
    assert (told["kind"], told["amount_fen"], told["holder"]) == ("slip_short", 10_000, "0202")
    async with money_db.tx(EAST) as tx:
        short = await banking.confirm_arrival(tx, made.id, [done.matched[0][0]], FINANCE, at=NOON + timedelta(days=1))
        assert (short.state, await balance(tx, "cash_in_transit", f"slip:{made.id}")) == ("short", 10_000)
        assert await balance(tx, "over_short") == 0


async def test_a_line_of_another_account_another_slip_or_nowhere(money_db):
    there = await account(money_db)
    async with money_db.tx(EAST) as tx:
        other = await banking.store_banking.add_account(tx, 1, "abc-9999", "另一家银行", "9999", "华东公司") or 0
    await handed(money_db)
    await handed(money_db, 5_000, user=3, room=102)
    await close(money_db)
    made = await slip(money_db, there)
    await read(money_db, there, sheet(("2026-11-25", "353.00", "现金", "S1")))
    await read(money_db, other, sheet(("2026-11-25", "353.00", "现金", "S9")))
    async with money_db.tx(EAST) as tx:
        (strange,) = await banking.store_banking.lines(tx, other)
        (own,) = await banking.store_banking.lines(tx, there)
        with pytest.raises(Refused, match="other_account"):
            await banking.confirm_arrival(tx, made.id, [strange["id"]], FINANCE, at=NOON)
        with pytest.raises(NotFound, match="line_not_found"):
            await banking.confirm_arrival(tx, made.id, [own["id"], 99_999], FINANCE, at=NOON)
        with pytest.raises(Refused, match="needs_reason"):
            await banking.confirm_arrival(tx, made.id, [own["id"]], FINANCE, at=NOON)
        why = "回单照片已核对"
        done = await banking.confirm_arrival(tx, made.id, [own["id"]], FINANCE, at=NOON, reason=why)
        assert done.arrived_fen == made.amount_fen


async def test_another_companys_slip_account_and_lines_are_not_there(money_db):
    there = await account(money_db)
    await handed(money_db)
    await close(money_db)
    made = await slip(money_db, there)
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound, match="slip_not_found"):
            await banking.confirm_arrival(tx, made.id, [1], FINANCE, at=NOON)
        with pytest.raises(NotFound, match="account_not_found"):
            await banking.import_statement(tx, there, "x", sheet(), COLUMNS, FINANCE, at=NOON)
        with pytest.raises(NotFound, match="project_not_found"):
            await banking.make_slip(tx, 11, [DAY], there, person(2), key="slip-00009", at=NOON)
        with pytest.raises(NotFound, match="account_not_found"):
            await banking.make_slip(tx, 21, [DAY], there, person(2), key="slip-00009", at=NOON)


async def test_cash_that_is_not_banked_in_time_alarms_once(money_db, listening):
    """C-35: Tuesday's cash by Wednesday 17:00; HQ hears of it once a day due, whoever has the cash."""
    await handed(money_db)
    due = datetime(2026, 11, 25, 17, 0, tzinfo=SHANGHAI)
    async with money_db.tx(BOTH) as tx:
        assert await banking.overdue(tx, [11, 12, 21], due - timedelta(seconds=1)) == []
        assert await banking.overdue(tx, [11, 12, 21], due) == [{"project_id": 11, "day": DAY, "fen": 30_300}]
    async with listening() as heard:
        await banking.look_for_overdue(money_db, due)
        _, told = await alarm(heard)
        await banking.look_for_overdue(money_db, due + timedelta(hours=1))
        await banking.look_for_overdue(money_db, due + timedelta(days=1))
        _, second = await alarm(heard)
    assert (told["kind"], told["subject"], told["amount_fen"]) == ("cash_overdue", "day:2026-11-24", 30_300)
    assert second["subject"] == "day:2026-11-25"


async def test_working_days_are_weekends_holidays_and_what_the_company_says(money_db):
    """C-35: National Day 2026 runs to 10-07, 10-10 is a worked Saturday; a company may have its own."""
    async with money_db.tx(EAST) as tx:
        works = await banking.working(tx, 1)
        assert deadline(date(2026, 9, 30), works) == datetime(2026, 10, 8, 17, 0, tzinfo=SHANGHAI)
        assert deadline(date(2026, 10, 9), works).date() == date(2026, 10, 10)
        assert deadline(date(2026, 11, 27), works).date() == date(2026, 11, 30)
        assert working_days(date(2026, 9, 30), date(2026, 10, 10), works) == 3
        await tx.execute("INSERT INTO company_days VALUES (1, '2026-11-25', false, '司庆')")
        works = await banking.working(tx, 1)
        assert deadline(DAY, works).date() == date(2026, 11, 26)
    assert last_due(datetime(2026, 11, 30, 16, 59, tzinfo=SHANGHAI), lambda day: day.weekday() < 5) == date(2026, 11, 26)


def test_the_oldest_cash_is_banked_first():
    days = [(date(2026, 11, 23), 500), (DAY, 300)]
    assert [older(600, days, through) for through in (date(2026, 11, 22), date(2026, 11, 23), DAY)] == [0, 300, 600]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_statement_is_read_as_banks_write_it(encoding):
    found = statement.read(sheet(("2026年11月25日", "1234.5", "现金", "S1"), encoding=encoding), COLUMNS)
    assert found == [statement.Line(date(2026, 11, 25), 123_450, "现金", "S1")]


def test_a_spreadsheet_is_read_and_a_bad_file_refused():
    book = Workbook()
    page = book.active
    assert page is not None
    for row in (
        ["日期", "金额", "摘要", "流水号"],
        [date(2026, 11, 25), 11260.5, "现金", 17],
        [None, None, None, None],
    ):
        page.append(row)
    out = io.BytesIO()
    book.save(out)
    assert statement.read(out.getvalue(), COLUMNS) == [statement.Line(date(2026, 11, 25), 1_126_050, "现金", "17")]
    for content, code in (
        (b"PK\x03\x04nothing", "bad_file"), (b"\xff\xff\x00", "bad_file"), (b"a,b\n1,2", "no_column"),
        (sheet(("2026-13-01", "1.00", "", "S1")), "bad_rows"), (sheet(("2026-11-25", "1.005", "", "S1")), "bad_rows"),
        (sheet(("2026-11-25", "NaN", "", "S1")), "bad_rows"), (sheet(("2026-11-25", "1.00", "", "")), "bad_rows"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=code):
            statement.read(content, COLUMNS)


async def test_a_week_of_two_cashiers_and_a_guard_balances_to_the_fen(money_db):
    """Drawer + in transit + bank = takings + over/short, on every evening; floats are not takings."""
    there = await account(money_db)
    number, taken = 0, 0
    for day in range(5):
        at = NOON + timedelta(days=day)
        for who in (1, 2):
            fen = 10_007 * (day + 1) + who
            opened = await takes(money_db, fen, user=who, room=110 + 2 * day + who, at=at)
            taken += fen
            odd = 0 if day % 2 else 130 - 260 * (who - 1)
            count = await count_shift(money_db, opened.id, fen + 20_000 + odd, who=who, key=f"count-{opened.id:04d}", at=at)
            await _hand(money_db, count, 20_000 + 500 * (day == 1), who, 3 - who, at)
        async with money_db.tx(EAST) as tx:
            for _ in range(3):
                number += 1
                await counter.post_lane_cash(
                    tx, project_id=11, box="fengqiao-01", payment=payment(number, 900), at=at, arrived_at=at
                )
                taken += 900
            counted = await closing_guard(tx, 2_700, f"guard-{day:04d}", at)
        await _hand(money_db, counted, 0, 9, 1, at)
        await close(money_db, at.date())
        for who in (1, 2):
            made = await slip(money_db, there, who=who, key=f"slip-{day}-{who:03d}", days=(at.date(),))
            if day < 4:
                row = (f"{at.date() + timedelta(days=1)}", f"{made.amount_fen / 100:.2f}", f"现金存入 {made.no}", f"S{made.id}")
                done = await read(money_db, there, sheet(row))
                async with money_db.tx(EAST) as tx:
                    await banking.confirm_arrival(tx, made.id, [done.matched[0][0]], FINANCE, at=at + timedelta(days=1))
        async with money_db.tx(EAST) as tx:
            places = [await balance(tx, root) for root in ("cash_drawer", "cash_in_transit", "bank")]
            assert sum(places) == taken - await balance(tx, "over_short")
    async with money_db.tx(EAST) as tx:
        assert await balance(tx, "cash_drawer") == await balance(tx, "cash_drawer", "float:11") == 1_000
        assert await balance(tx, "bank") > 0
        assert await balance(tx, "cash_in_transit") > 0
        assert (await counter.verify(tx)).ok


async def closing_guard(tx, fen: int, key: str, at: datetime):
    from cloud.counter import shifts

    return await shifts.count_guard(tx, 11, "fengqiao-01", "3001", notes(fen), person(9, "3001"), key=key, at=at)


async def _hand(db, count, keep: int, who: int, to: int, at: datetime) -> None:
    number = person(who, "3001") if who == 9 else person(who)
    async with db.tx(EAST) as tx:
        if count.variance_fen:
            await handover.explain(tx, count.id, "找零差错", number, key=f"why-{count.id:05d}", at=at)
        offered = await handover.offer(tx, count.id, keep, number, at=at)
        await handover.confirm(tx, offered.handover_id or 0, count.counted_fen - keep, keep, person(to), at=at)
