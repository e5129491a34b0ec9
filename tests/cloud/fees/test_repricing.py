"""A price for days that are billed already: the reviewer sees each line, and those lines are adjusted and no others (F-04)."""

from __future__ import annotations

from datetime import date, timedelta

import psycopg
import pytest

from cloud.access import service as access
from cloud.estate import service as estate
from cloud.fees import repricing, store_repricing
from cloud.fees import service as fees
from protocols.errors import Refused
from protocols.money import round_fen
from tests.cloud.fees.test_billing import AREA, run, set_up, sound
from tests.support.approvals import decide, person
from tests.support.money import EAST, NOON

SEPTEMBER, OCTOBER, DEAR = date(2026, 9, 1), date(2026, 10, 1), AREA | {"price": "3.00"}
OLD, NEW = 22_647, 28_911
"""96.37 m2 at 2.35 and at 3.00 yuan."""


@pytest.fixture
async def billed(hub):
    """Three rooms owe September and October; the standard's id."""
    from cloud.app import approval_handlers

    hub.approval_handlers = approval_handlers()
    async with hub.db.tx(EAST) as tx:
        made = await set_up(tx)
    await run(hub.db)
    return made


async def draft(hub, standard: int, rules=DEAR, since: date = OCTOBER) -> int:
    async with hub.db.tx(EAST) as tx:
        cut = next(iter(await fees.terms(tx, 1)))
        version = await fees.draft_version(
            tx, standard, effective_from=since, document=rules, term_id=cut.id, reason="补报备案", at=NOON, by="m1"
        )
    return version.id


async def asked(hub, version: int, key: str = "price-0001") -> access.Approval:
    manager = await person(hub, f"m-{key}", "project_manager")
    async with hub.db.tx(EAST) as tx:
        return await fees.ask_publish(tx, manager, version, key=key, terminal="办公室", now=NOON)


async def seen(hub, one: access.Approval) -> list[dict]:
    async with hub.db.tx(EAST) as tx:
        return await store_repricing.page(tx, int(str(one.payload["repricing"])), 0, 100)


async def owed(hub, room: int = 101) -> list[tuple[date, int, int | None]]:
    async with hub.db.tx(EAST) as tx:
        return [(one.period_from, one.amount_fen, one.adjusts) for one in await fees.open_lines(tx, 11, room, NOON.date())]


async def boss(hub):
    return await person(hub, "h1", "hq_finance")


async def test_the_reviewer_sees_each_line_and_exactly_those_are_adjusted(hub, billed):
    """F-04, F-10: October of three rooms; September stays"""
    one = await asked(hub, await draft(hub, billed))
    found = await seen(hub, one)
    assert [(row["object"], row["old_fen"], row["new_fen"]) for row in found][:1] == [("1-1-101", OLD, NEW)]
    assert len(found) == 3 and all(row["period_from"] == OCTOBER for row in found)
    total = sum(row["difference_fen"] for row in found)
    assert one.amount_fen == total and "3 笔应收跟着改" in one.after and one.payload["page"].startswith("/fees/repricings/")
    assert len(await owed(hub)) == 2, "asking changes nothing"
    await decide(hub, await boss(hub), one)
    after = await owed(hub)
    assert [fen for start, fen, adjusts in after if adjusts] == [NEW - OLD]
    assert await sound(hub.db)
    async with hub.db.tx(EAST) as tx:
        rows = await tx.fetch_all("SELECT * FROM report_fees_price_changes", ())
        areas = [room.values.area for room in await estate.room_records(tx, 11, [101, 102, 103])]
    year = [round_fen(area * 12 * price) for price in (300, -235) for area in areas]
    assert (rows[0]["kind"], rows[0]["price"], rows[0]["rooms"], rows[0]["approval_id"]) == ("price", 3, 3, one.id)
    assert rows[0]["yearly_fen"] == sum(year), "twelve months, rounded once (Q-27)"


async def test_a_lower_price_gives_back_and_never_below_what_was_waived(hub, billed):
    """Q-68: 226.47 of which 200.00 was waived; at half the price 26.47 is all that can be taken back"""
    cashier = await person(hub, "c1", "cashier")
    async with hub.db.tx(EAST) as tx:
        line = next(one for one in await fees.open_lines(tx, 11, 101, NOON.date()) if one.period_from == OCTOBER)
        waiver = await fees.ask_waiver(
            tx, cashier, 11, line.id, principal_fen=20_000, late_fee_fen=0, reason="空置", key="w-0001", terminal="", now=NOON
        )
    await decide(hub, await person(hub, "m9", "project_manager"), waiver)
    one = await asked(hub, await draft(hub, billed, AREA | {"price": "1.00"}))
    found = {row["object"]: row["difference_fen"] for row in await seen(hub, one)}
    assert found["1-1-101"] == -(OLD - 20_000) and found["1-1-102"] < found["1-1-101"]
    await decide(hub, await boss(hub), one)
    assert sum(fen for start, fen, _ in await owed(hub) if start == OCTOBER) == 20_000 and await sound(hub.db)


@pytest.mark.parametrize("what", ["adjusted", "billed", "cancelled"])
async def test_when_the_lines_are_others_by_now_nothing_is_carried_out(hub, billed, what):
    """F-04: what is applied is what was seen"""
    one = await asked(hub, await draft(hub, billed))
    chief = await person(hub, "s1", "sub_manager")
    manager = await person(hub, "m9", "project_manager")
    async with hub.db.tx(EAST) as tx:
        line = next(each for each in await fees.open_lines(tx, 11, 101, NOON.date()) if each.period_from == OCTOBER)
        more = {"reason": "复核", "key": "other-01", "terminal": "", "now": NOON}
        if what == "adjusted":
            request = await fees.ask_adjustment(tx, manager, 11, line.id, amount_fen=-100, formula="复核", **more)
        elif what == "cancelled":
            request = await fees.ask_cancel(tx, manager, 11, [line.id], **more)
    if what == "billed":
        await run(hub.db, date(2026, 11, 30))
    else:
        await decide(hub, chief, request)
    with pytest.raises(Refused, match="lines_changed") as problem:
        await decide(hub, await boss(hub), one)
    assert "什么都没有执行" in problem.value.zh
    async with hub.db.tx(EAST) as tx:
        assert [each.state for each in await fees.versions(tx, 11)] == ["published", "draft"]
        assert (await access.get(tx, one.id)).state == "waiting", "it can be returned"
    assert await sound(hub.db)


async def test_drafts_that_wait_are_published_or_dropped_first(hub, billed):
    await run(hub.db, date(2026, 11, 30), publish=False)
    with pytest.raises(Refused, match="drafts_waiting"):
        await asked(hub, await draft(hub, billed))


async def pay(hub, room: int, start: date, day: date) -> None:
    async with hub.db.tx(EAST) as tx:
        (line,) = [one for one in await fees.open_lines(tx, 11, room, day) if one.period_from == start]
        await fees.settle(tx, fees.allocate([line], line.due_fen), day=day, source=f"counter:{room}")


async def test_what_was_paid_before_its_period_began_keeps_its_price_where_the_standard_says_so(hub, billed):
    """T-07, Q-47: room 101 paid October in September, room 102 in October"""
    await pay(hub, 101, OCTOBER, date(2026, 9, 20))
    await pay(hub, 102, OCTOBER, date(2026, 10, 2))
    found = await seen(hub, await asked(hub, await draft(hub, billed)))
    assert [row["object"] for row in found] == ["1-1-102", "1-1-103"]


async def test_a_price_from_today_on_tops_up_only_what_says_so(hub):
    """Q-47: December billed ahead; one standard keeps the price, the other tops up"""
    from cloud.app import approval_handlers

    hub.approval_handlers = approval_handlers()
    async with hub.db.tx(EAST) as tx:
        keep = await set_up(tx, rooms=(101,))
        more = await set_up(tx, rules=AREA | {"on_price_change": "top_up"}, rooms=(102,), code="topup")
    await run(hub.db, date(2026, 12, 31))
    december, lists = date(2026, 12, 1), []
    for standard, rules in ((keep, DEAR), (more, DEAR | {"on_price_change": "top_up"})):
        one = await asked(hub, await draft(hub, standard, rules, december), key=f"price-{standard:04d}")
        assert one.kind == "standard.publish"
        lists.append([row["object"] for row in await seen(hub, one)] if "repricing" in one.payload else [])
    assert lists == [[], ["1-1-102"]]


async def test_a_percentage_of_a_line_changes_with_it(hub, billed):
    """Q-16"""
    async with hub.db.tx(EAST) as tx:
        await fees.put_items(tx, 1, [fees.Item("extra", "附加费", "agency", True, True, 40, 40)])
        share = {"method": "percentage", "of_item": "property", "rate": "0.1"}
        await set_up(tx, rules=share, rooms=(101,), code="extra", item="extra", start=OCTOBER)
    await run(hub.db)
    found = await seen(hub, await asked(hub, await draft(hub, billed)))
    extra = [(row["old_fen"], row["new_fen"]) for row in found if row["item_name"] == "附加费"]
    assert extra == [(2_265, 2_891)]


async def test_an_old_list_is_never_changed_and_the_same_price_changes_nothing(hub, billed, money_admin):
    same = await draft(hub, billed, AREA)
    async with hub.db.tx(EAST) as tx:
        version = next(one for one in await fees.versions(tx, 11) if one.id == same)
        assert await repricing.changed(tx, version, NOON.date()) == []
    await asked(hub, await draft(hub, billed))
    with pytest.raises(psycopg.Error):
        money_admin.execute("UPDATE fee_repricing_lines SET new_fen = 1")


async def test_a_request_that_became_past_is_said_before_any_line_is_touched(hub, billed):
    one = await asked(hub, await draft(hub, billed, DEAR, NOON.date()))
    with pytest.raises(Refused, match="became_past"):
        await decide(hub, await person(hub, "s1", "sub_manager"), one, now=NOON + timedelta(days=2))
