"""Standards in versions, published by a second person; assignments that never overlap (F-01 .. F-08, T-09)."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import psycopg
import pytest

from cloud.fees import service as fees
from protocols.errors import Conflict, NotFound, Refused
from tests.support.money import EAST, ITEMS, NOON, NORTH

TERM = {
    "cycle": "month", "every": 1, "alignment": "natural", "billed": "advance", "offset_days": 0,
    "due": {"rule": "nth_day", "day": 15}, "roll_to_workday": False,
    "late": {"daily_rate": "0.0005", "grace_days": 15, "grace_mode": "after_grace", "cap_rate": "1"},
}  # fmt: skip
AREA = {
    "method": "area", "price": "2.35", "price_per": "month", "area_kind": "gross", "proration_start": "actual",
    "proration_end": "actual", "on_price_change": "keep", "refund_running": False,
}  # fmt: skip
MORNING = date(2026, 1, 1)


async def standard(tx, *, item: str = "property", code: str = "wyf") -> int:
    await fees.put_items(tx, 1, ITEMS)
    return await fees.add_standard(tx, 11, item=item, code=code, name="住宅物业费", at=NOON, by="0101")


async def term(tx) -> fees.NamedTerm:
    return await fees.add_term(tx, 1, code="monthly", name="按月预收", document=TERM, at=NOON, by="0101")


def room(number: int, start: date = MORNING, end: date | None = None) -> fees.NewAssignment:
    return fees.NewAssignment(0, number, f"1-1-{number}", start, end)


async def test_a_term_is_written_once_and_never_changed(money_db):
    """T-01"""
    async with money_db.tx(EAST) as tx:
        first = await term(tx)
        assert await term(tx) == first
        with pytest.raises(Conflict, match="code_taken"):
            await fees.add_term(tx, 1, code="monthly", name="按月", document=TERM | {"every": 2}, at=NOON, by="0101")


async def test_a_standard_that_leaves_a_choice_open_is_refused(money_db):
    """Q-09: a standard without its proration field"""
    async with money_db.tx(EAST) as tx:
        made, cut = await standard(tx), await term(tx)
        open_ended = {key: value for key, value in AREA.items() if key != "proration_end"}
        with pytest.raises(Refused) as problem:
            await fees.draft_version(
                tx, made, effective_from=MORNING, document=open_ended, term_id=cut.id, reason="新价", at=NOON, by="0101"
            )
    assert "proration_end" in str(problem.value.field)


@pytest.mark.parametrize("price", ["2.123456789", "-1", "NaN", "1e3", 2.35])
async def test_a_price_that_is_no_price_is_refused(money_db, price):
    """F-03: at most six decimals, decimals as text"""
    async with money_db.tx(EAST) as tx:
        made, cut = await standard(tx), await term(tx)
        with pytest.raises(Refused):
            await fees.draft_version(
                tx, made, effective_from=MORNING, document=AREA | {"price": price}, term_id=cut.id, reason="新价", at=NOON, by="1"
            )


async def test_a_published_version_is_not_changed_by_anybody(money_db, money_admin):
    """F-04"""
    async with money_db.tx(EAST) as tx:
        made, cut = await standard(tx), await term(tx)
        version = await fees.draft_version(
            tx, made, effective_from=MORNING, document=AREA, term_id=cut.id, reason="开盘价", at=NOON, by="0101"
        )
        assert await fees.publish(tx, version.id, at=NOON, by="0002")
    with pytest.raises(psycopg.Error, match="not changed"):
        money_admin.execute("UPDATE fee_versions SET effective_from = '2020-01-01'")
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Refused, match="published"):
            await fees.publish(tx, version.id, at=NOON, by="0002")
        second = await fees.draft_version(
            tx, made, effective_from=MORNING, document=AREA | {"price": "9"}, term_id=cut.id, reason="改价", at=NOON, by="0101"
        )
        with pytest.raises(Refused, match="same_day"):
            await fees.publish(tx, second.id, at=NOON, by="0002")


async def test_overlapping_assignments_are_refused_with_their_dates(money_db):
    """F-08"""
    async with money_db.tx(EAST) as tx:
        made = await standard(tx)
        await fees.assign(tx, made, [room(101), room(102, MORNING, date(2026, 7, 1))], at=NOON, by="0101")
        other = await standard(tx, code="wyf2")
        with pytest.raises(Conflict, match="overlap") as problem:
            await fees.assign(tx, other, [room(103), room(102, date(2026, 6, 30))], at=NOON, by="0101")
        assert "2026-06-30" in problem.value.zh and "1-1-102" in problem.value.zh
        assert len(await fees.assign(tx, other, [room(102, date(2026, 7, 1))], at=NOON, by="0101")) == 1
    async with money_db.tx(EAST) as tx:
        assert sorted(one.object for one in await fees.assignments(tx, 11)) == ["1-1-101", "1-1-102", "1-1-102"]


async def test_two_who_assign_one_room_at_once_make_one(money_db):
    """F-08"""
    async with money_db.tx(EAST) as tx:
        made = await standard(tx)

    async def one() -> int:
        async with money_db.tx(EAST) as tx:
            return len(await fees.assign(tx, made, [room(101)], at=NOON, by="0101"))

    found = await asyncio.gather(*(one() for _ in range(6)), return_exceptions=True)
    assert sorted(str(type(answer).__name__) for answer in found) == ["Conflict"] * 5 + ["int"]


async def test_the_database_refuses_an_overlap_too(money_db, money_admin):
    """F-08"""
    async with money_db.tx(EAST) as tx:
        made = await standard(tx)
        await fees.assign(tx, made, [room(101)], at=NOON, by="0101")
    with pytest.raises(psycopg.Error, match="covers"):
        money_admin.execute(
            "INSERT INTO fee_assignments (company_id, project_id, item_id, standard_id, room_id, object, from_day, at, by)"
            " SELECT company_id, project_id, item_id, standard_id, room_id, object, from_day + 5, at, by FROM fee_assignments"
        )


async def test_another_companys_standards_are_not_there(money_db):
    async with money_db.tx(EAST) as tx:
        made, cut = await standard(tx), await term(tx)
    async with money_db.tx(NORTH) as tx:
        with pytest.raises(NotFound, match="standard_not_found"):
            await fees.assign(tx, made, [room(101)], at=NOON, by="0101")
        with pytest.raises(NotFound, match="standard_not_found"):
            await fees.draft_version(
                tx, made, effective_from=MORNING, document=AREA, term_id=cut.id, reason="改价", at=NOON, by="0101"
            )


async def test_an_assignment_ends_and_another_begins_the_day_after(money_db):
    """T-09"""
    async with money_db.tx(EAST) as tx:
        made = await standard(tx)
        (one,) = await fees.assign(tx, made, [room(101)], at=NOON, by="0101")
        ended = await fees.end_assignment(tx, 11, one, last_day=date(2026, 3, 31))
        assert ended.to_day == date(2026, 4, 1)
        with pytest.raises(Refused, match="bad_days"):
            await fees.end_assignment(tx, 11, one, last_day=MORNING - timedelta(days=1))
        assert await fees.assign(tx, made, [room(101, date(2026, 4, 1))], at=NOON, by="0101")
