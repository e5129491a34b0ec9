"""Billing runs: drafts, publishing, once under ten parallel runs, cut by price and payer, explained for ever (F-06 .. F-10)."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest

from cloud.counter import service as counter
from cloud.estate import service as estate
from cloud.fees import service as fees
from protocols.errors import Conflict, NotFound, Refused, Stop
from tests.cloud.fees.test_standards import AREA, TERM
from tests.support.money import BOTH, EAST, ITEMS, NOON, NORTH

OCTOBER = date(2026, 10, 31)
START = date(2026, 9, 1)
ROOMS = (101, 102, 103)


async def set_up(
    tx, *, rules=AREA, rooms=ROOMS, start: date = START, term=TERM, code: str = "wyf", item: str = "property"
) -> int:
    """Three rooms charged by area from September; the standard's id."""
    await fees.put_items(tx, 1, ITEMS)
    cut = await fees.add_term(tx, 1, code=f"term-{code}", name="按月预收", document=term, at=NOON, by="0101")
    made = await fees.add_standard(tx, 11, item=item, code=code, name="住宅物业费", at=NOON, by="0101")
    await price(tx, made, rules, date(2020, 1, 1), cut.id)
    known = {room.id: room for room in await estate.room_records(tx, 11, rooms)}
    new = [fees.NewAssignment(made, room, known[room].code, start) for room in rooms]
    await fees.assign(tx, made, new, at=NOON, by="0101")
    return made


async def price(tx, standard: int, rules, since: date, term: int) -> None:
    version = await fees.draft_version(
        tx, standard, effective_from=since, document=rules, term_id=term, reason="定价", at=NOON, by="0101"
    )
    await fees.publish(tx, version.id, at=NOON, by="0002")


async def run(db, through: date = OCTOBER, *, publish: bool = True, limit: int = 2) -> int:
    """A whole run in steps of two assignments; its batch."""
    failures: list = []

    async def told(step: fees.Billed) -> bool:
        failures.extend(step.failures)
        return True

    async with db.tx(EAST) as tx:
        batch = await fees.start_run(tx, 11, title="10 月应收", through=through, at=NOON, by="0101")
    await fees.bill_all(db, EAST, batch, at=NOON, by="0101", told=told, page=limit)
    async with db.tx(EAST) as tx:
        await fees.finish_run(tx, batch, failures)
        if publish:
            await fees.publish_run(tx, batch, at=NOON, by="0101")
    return batch


async def lines(db, room: int = 101) -> list[fees.Line]:
    async with db.tx(EAST) as tx:
        return await fees.open_lines(tx, 11, room, date(2026, 9, 2))


async def sound(db) -> bool:
    async with db.tx(BOTH) as tx:
        return (await counter.verify(tx)).ok


async def test_a_run_makes_drafts_that_nobody_owes_until_it_is_published(money_db):
    """F-09, UI.md 4 (应收账单)"""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
    batch = await run(money_db, publish=False)
    assert await lines(money_db) == [] and await sound(money_db)
    async with money_db.tx(EAST) as tx:
        published = await fees.publish_run(tx, batch, at=NOON, by="0101")
        assert (published.state, published.lines) == ("published", 6)
        assert await fees.publish_run(tx, batch, at=NOON, by="0101") == published, "twice is once"
    found = await lines(money_db)
    assert [(one.period_from, one.period_to) for one in found] == [
        (date(2026, 9, 1), date(2026, 10, 1)),
        (date(2026, 10, 1), date(2026, 11, 1)),
    ]
    assert await sound(money_db)


async def test_ten_runs_at_once_make_one_set(money_db):
    """F-09"""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
    await asyncio.gather(*(run(money_db) for _ in range(10)))
    assert [len(await lines(money_db, room)) for room in ROOMS] == [2, 2, 2]
    assert await sound(money_db)


async def test_the_next_run_goes_on_where_the_last_one_ended(money_db):
    """T-02: periods touch"""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
    await run(money_db)
    await run(money_db)
    await run(money_db, date(2026, 12, 31))
    found = await lines(money_db)
    assert len(found) == 4
    assert all(left.period_to == right.period_from for left, right in zip(found, found[1:], strict=False))


async def test_a_run_that_was_cut_off_goes_on_and_adds_nothing_twice(money_db):
    """Power loss in a billing run: each step is whole, and repeating it is harmless."""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        batch = await fees.start_run(tx, 11, title="10 月", through=OCTOBER, at=NOON, by="0101")
    steps: list[fees.Billed] = []

    async def gone(step: fees.Billed) -> bool:
        raise RuntimeError("the power is gone")

    async def told(step: fees.Billed) -> bool:
        steps.append(step)
        return True

    async def stopped(step: fees.Billed) -> bool:
        return False

    with pytest.raises(RuntimeError):
        async with money_db.tx(EAST) as tx:
            await fees.bill_some(tx, batch, 0, at=NOON, by="0101")
            raise RuntimeError("in the middle of a step")
    with pytest.raises(RuntimeError, match="the power is gone"):
        await fees.bill_all(money_db, EAST, batch, at=NOON, by="0101", told=gone, page=1)
    await fees.bill_all(money_db, EAST, batch, at=NOON, by="0101", told=stopped, page=1)
    await fees.bill_all(money_db, EAST, batch, at=NOON, by="0101", told=told, page=2)
    async with money_db.tx(EAST) as tx:
        done = await fees.finish_run(tx, batch, ())
        rows = await tx.fetch_all("SELECT object, count(*) AS n FROM charge_lines GROUP BY object ORDER BY object", ())
    assert sum(step.added for step in steps) < 6, "the first step stands"
    assert [row["n"] for row in rows] == [2, 2, 2] and done.lines == 6


async def test_a_new_price_and_a_new_payer_cut_the_month(money_db):
    """Q-22, Q-23, Q-03"""
    async with money_db.tx(EAST) as tx:
        made = await set_up(tx, rooms=(101, 102))
        cut = next(iter([one for one in await fees.terms(tx, 1)]))
        await price(tx, made, AREA | {"price": "3.00"}, date(2026, 10, 11), cut.id)
        await estate.set_payer(tx, 102, None, 103, from_day=date(2026, 10, 21), today=date(2026, 10, 1), by="0101", at=NOON)
    await run(money_db)
    first = [(one.period_from, one.period_to) for one in await lines(money_db, 101)]
    assert first == [
        (date(2026, 9, 1), date(2026, 10, 1)),
        (date(2026, 10, 1), date(2026, 10, 11)),
        (date(2026, 10, 11), date(2026, 11, 1)),
    ]
    second = [(one.period_from, one.payer_id) for one in await lines(money_db, 102)]
    assert second == [
        (date(2026, 9, 1), 102),
        (date(2026, 10, 1), 102),
        (date(2026, 10, 11), 102),
        (date(2026, 10, 21), 103),
    ]
    assert await sound(money_db)


async def test_one_room_that_cannot_be_calculated_stops_nobody_else_and_is_named(money_db, money_admin):
    """F-06"""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
    money_admin.tamper("UPDATE rooms SET area = NULL WHERE id = 102")
    batch = await run(money_db, publish=False)
    async with money_db.tx(EAST) as tx:
        found = await fees.run(tx, batch)
    assert found.lines == 4
    assert len(found.failures) == 1 and "建筑面积" in found.failures[0]["message"]


async def test_every_stored_line_calculates_to_itself_also_after_the_facts_have_changed(money_db, money_admin):
    """DESIGN 3: recalculating from stored inputs gives the same lines for ever."""
    async with money_db.tx(EAST) as tx:
        made = await set_up(tx)
    await run(money_db)
    async with money_db.tx(EAST) as tx:
        cut = next(iter(await fees.terms(tx, 1)))
        await price(tx, made, AREA | {"price": "9.99"}, date(2026, 10, 5), cut.id)
    money_admin.tamper("UPDATE rooms SET area = area + 7")
    found = [one for room in ROOMS for one in await lines(money_db, room)]
    async with money_db.tx(EAST) as tx:
        for one in found:
            again = await fees.explain_again(tx, 11, one.id)
            assert again is not None and (again.fen, again.line.steps) == (one.amount_fen, one.steps)
    money_admin.tamper(f"UPDATE charge_lines SET amount_fen = amount_fen + 1 WHERE id = {found[0].id}")
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Stop, match="not_the_same"):
            await fees.explain_again(tx, 11, found[0].id)


async def test_a_preview_saves_nothing(money_db):
    """F-07, 0.4"""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        ids = [one.id for one in await fees.assignments(tx, 11)]
        drafts = await fees.preview(tx, 11, ids, date(2026, 11, 30))
        assert len(drafts) == 9 and all(draft.line.steps for draft in drafts)
        with pytest.raises(NotFound):
            await fees.preview(tx, 11, [*ids, 10**6], OCTOBER)
    assert await lines(money_db) == []


async def test_dropped_drafts_can_be_made_again_and_published_ones_never_dropped(money_db):
    """F-10"""
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
    batch = await run(money_db, publish=False)
    async with money_db.tx(EAST) as tx:
        assert (await fees.drop_run(tx, batch)).state == "dropped"
        with pytest.raises(Conflict, match="run_dropped"):
            await fees.publish_run(tx, batch, at=NOON, by="0101")
    second = await run(money_db)
    assert len(await lines(money_db)) == 2
    async with money_db.tx(EAST) as tx:
        with pytest.raises(Conflict, match="run_published"):
            await fees.drop_run(tx, second)
    assert await sound(money_db)


async def test_a_run_is_not_another_companys_and_not_published_before_it_is_done(money_db):
    async with money_db.tx(EAST) as tx:
        await set_up(tx)
        batch = await fees.start_run(tx, 11, title="10 月", through=OCTOBER, at=NOON, by="0101")
        with pytest.raises(Refused, match="run_running"):
            await fees.publish_run(tx, batch, at=NOON, by="0101")
    async with money_db.tx(NORTH) as tx:
        for act in (fees.publish_run(tx, batch, at=NOON, by="x"), fees.drop_run(tx, batch)):
            with pytest.raises(NotFound, match="run_not_found"):
                await act


async def test_one_owner_pays_by_the_month_another_by_the_year(money_db):
    """T-08: several terms of one item stand side by side, each room by its own."""
    yearly = {**TERM, "every": 12, "alignment": "anniversary", "anchor": "assignment"}
    async with money_db.tx(EAST) as tx:
        await set_up(tx, rooms=(101,), code="monthly")
        await set_up(tx, rooms=(102,), code="yearly", term=yearly)
    await run(money_db)
    by_month, by_year = await lines(money_db, 101), await lines(money_db, 102)
    assert [(one.period_from, one.period_to) for one in by_month] == [
        (date(2026, 9, 1), date(2026, 10, 1)),
        (date(2026, 10, 1), date(2026, 11, 1)),
    ]
    assert [(one.period_from, one.period_to) for one in by_year] == [(date(2026, 9, 1), date(2027, 9, 1))]
    assert {one.item.code for one in (*by_month, *by_year)} == {"property"}
    assert await sound(money_db)
