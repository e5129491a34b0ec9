"""Warnings by rule: who, when, why; once a day, gone when paid; what falls due (W-01 .. W-05)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from cloud.arrears import service as arrears
from cloud.arrears import store_warning, warnings
from cloud.arrears.domain_warning import Owed, Rule, check_rule, computed, said, text
from cloud.fees import service as fees
from cloud.notices import service as notices
from protocols.errors import Refused
from protocols.time import SHANGHAI
from tests.support.approvals import person
from tests.support.hub import NOON
from tests.support.money import BOTH, EAST, ITEMS, line

TODAY = NOON.date()
MORNING = datetime(2026, 11, 24, 6, 30, tzinfo=SHANGHAI)
OPEN = datetime(2026, 11, 24, 8, 0, tzinfo=SHANGHAI)


class Out:
    """A channel that keeps what it sent."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    async def send(self, message: notices.Outgoing) -> notices.Sent:
        assert message.to.name not in self.texts, "W-02: one a day"
        self.texts[message.to.name] = message.text
        return notices.Sent("x")


async def bill(hub, *new: fees.NewLine) -> None:
    async with hub.db.tx(BOTH) as tx:
        await fees.put_items(tx, 1, ITEMS)
        await fees.add_lines(tx, company_id=1, project_id=11, lines=new, at=MORNING, by="test")


def due(room: int, days: int, fen: int = 5_000, item: str = "property") -> fees.NewLine:
    """A line that is due in so many days (negative: was)."""
    return replace(line(room, fen, item=item), due_date=TODAY + timedelta(days=days))


async def rule(hub, moment: str, days: int, **more) -> int:
    facts = {"item": None, "least_fen": 1, "tag": None, "channel": "sms"} | more
    who = await person(hub, "m1", "project_manager")
    async with hub.db.tx(EAST) as tx:
        return await warnings.add_rule(
            tx, who, 11, moment=moment, days=days, key=f"rule-{moment}-{days}-{facts['channel']}", now=MORNING, **facts
        )


async def names(hub, rule_id: int, day: date = TODAY) -> list[str]:
    async with hub.db.tx(EAST) as tx:
        found = await warnings.preview(tx, await warnings.get(tx, rule_id), day, MORNING)
    return sorted(one.name for one in found)


async def send(hub, at: datetime = OPEN) -> Out:
    out = Out()
    checks = dict.fromkeys(arrears.WARNINGS, arrears.still_true)
    await notices.dispatch(hub.db, {"sms": out}, checks, lambda: at)
    return out


async def pay(hub, room: int, fen: int | None = None) -> None:
    async with hub.db.tx(EAST) as tx:
        lines = await fees.open_lines(tx, 11, room, TODAY)
        locked = await fees.lock_lines(tx, 11, [one.id for one in lines], TODAY)
        await fees.settle(tx, fees.allocate(locked, fen or sum(one.due_fen for one in locked)), day=TODAY, source=f"pay:{room}")


async def test_rules_by_moment_item_floor_and_tag(hub, money_admin):
    """W-01"""
    money_admin.execute("UPDATE owners SET tags = '{重点}' WHERE id = 104")
    await bill(hub, due(101, 3), due(102, 0), due(103, -15), due(104, -30), due(105, -16), due(106, 4), due(107, 3, 900, "water"))
    assert await names(hub, await rule(hub, "before", 3)) == ["业主101", "业主107"]
    assert await names(hub, await rule(hub, "on", 0)) == ["业主102"]
    assert await names(hub, await rule(hub, "after", 15)) == ["业主103", "业主104"]
    assert await names(hub, await rule(hub, "before", 3, item="water", channel="app")) == ["业主107"]
    assert await names(hub, await rule(hub, "before", 3, least_fen=1_000, channel="call")) == ["业主101"]
    assert await names(hub, await rule(hub, "after", 15, tag="重点", channel="app")) == ["业主104"]
    for wrong in (("before", 0), ("on", 3), ("after", 366), ("never", 1)):
        with pytest.raises(Refused, match="bad_rule"):
            check_rule(*wrong, 1, "sms")


async def test_a_day_is_gone_through_once_and_each_owner_gets_one_message(hub):
    """W-02: two rules that meet one owner are one message; run again nothing is added"""
    await rule(hub, "before", 3)
    await rule(hub, "after", 15)
    await bill(hub, due(101, 3), due(101, -15, 700, "water"), due(102, -30))
    assert await warnings.run(hub.db, MORNING) == 3
    assert await warnings.run(hub.db, MORNING + timedelta(hours=3)) == 0
    assert (await send(hub, MORNING)).texts == {}, "W-01: nothing before 08:00"
    texts = (await send(hub)).texts
    assert set(texts) == {"业主101", "业主102"} and "您有 2 项提醒" in texts["业主101"]
    assert (await send(hub, OPEN + timedelta(hours=5))).texts == {}
    assert await warnings.run(hub.db, MORNING + timedelta(days=1)) == 0, "the next day nothing is 3 or 15 days off"


async def test_who_paid_meanwhile_gets_nothing_and_who_paid_a_part_the_rest(hub):
    """W-03"""
    await rule(hub, "after", 15)
    await bill(hub, due(101, -15), due(102, -15), due(103, -15), due(104, -15))
    await warnings.run(hub.db, MORNING)
    await pay(hub, 101)
    await pay(hub, 102, 2_000)
    async with hub.db.tx(EAST) as tx:
        disputed = (await fees.open_lines(tx, 11, 103, TODAY))[0]
        await fees.dispute(tx, 11, disputed.id, day=TODAY, reason="面积不对", by="0101", at=MORNING)
    texts = (await send(hub)).texts
    assert set(texts) == {"业主102", "业主104"} and "30.00 元" in texts["业主102"] and "50.00 元" in texts["业主104"]
    async with hub.db.tx(EAST) as tx:
        rows = await tx.fetch_all("SELECT name, state, note, computed FROM messages ORDER BY owner_id")
    assert [(row["name"], row["state"]) for row in rows][::2] == [("业主101", "cancelled"), ("业主103", "cancelled")]
    assert "已过 15 天，未缴 30.00 元" in rows[1]["computed"][1], "W-05: how it was computed, as it was sent"


async def test_a_rule_switched_off_sends_nothing_any_more(hub):
    """W-05: a rule is tuned"""
    made = await rule(hub, "after", 15)
    await bill(hub, due(101, -15))
    await warnings.run(hub.db, MORNING)
    async with hub.db.tx(EAST) as tx:
        await warnings.switch(tx, await person(hub, "m1", "project_manager"), made, active=False, now=MORNING)
    assert (await send(hub)).texts == {}


async def test_a_call_list_loses_who_paid(hub):
    """W-01, W-03: a person calls; who paid leaves the list"""
    await rule(hub, "after", 15, channel="call")
    await bill(hub, due(101, -15), due(102, -15))
    await warnings.run(hub.db, MORNING)
    await pay(hub, 101)
    await notices.review(hub.db, dict.fromkeys(arrears.WARNINGS, arrears.still_true), OPEN)
    async with hub.db.tx(EAST) as tx:
        rows = await tx.fetch_all("SELECT name, state FROM messages ORDER BY owner_id")
    assert [row["state"] for row in rows] == ["cancelled", "waiting"]


async def test_a_wrong_number_and_who_wants_no_text_messages(hub, money_admin):
    """O-07"""
    money_admin.execute(
        "INSERT INTO owner_phones (company_id, project_id, owner_id, phone, sms, wrong, position) VALUES"
        " (1, 11, 101, '13900000001', true, true, 0), (1, 11, 101, '13900000002', true, false, 1),"
        " (1, 11, 102, '13900000003', false, false, 0)"
    )
    made = await rule(hub, "after", 15)
    await bill(hub, due(101, -15), due(102, -15), due(103, -15))
    async with hub.db.tx(EAST) as tx:
        found = await warnings.preview(tx, await warnings.get(tx, made), TODAY, MORNING)
    assert [one.phone for one in found] == ["13900000002", "", "13800000103"]
    await warnings.run(hub.db, MORNING)
    assert set((await send(hub)).texts) == {"业主101", "业主103"}


async def test_what_falls_due_by_project(hub, money_admin):
    """W-04"""
    money_admin.execute(
        "INSERT INTO fee_contracts (company_id, project_id, number, owner_id, from_day, to_day, at, by)"
        " VALUES (1, 11, 'A-1', 101, '2025-01-01', '2027-01-01', now(), 't'),"
        " (1, 11, 'A-2', 102, '2025-01-01', '2028-01-01', now(), 't')"
    )
    await bill(hub, due(101, 0, 100), due(102, 7, 200), due(103, 8, 400), due(104, 15, 800), due(105, 30, 1_600), due(106, 31, 9))
    async with hub.db.tx(EAST) as tx:
        found = await warnings.ahead(tx, [11, 12], NOON)
    assert [found[11][one] for one in ("fen7", "n7", "fen15", "n15", "fen30", "n30")] == [300, 2, 1_500, 4, 3_100, 5]
    assert (found[11]["ending"], found[12]["fen30"], found[12]["ending"]) == (1, 0, 0)


async def test_the_pages(hub, hub_client):
    """W-01, W-04, W-05"""
    await bill(hub, due(101, 3, 67_941), due(102, -15))
    await hub_client.log_in("project_manager", project=11)
    form = {"key": "click-0001", "moment": "before", "days": "3", "channel": "sms", "least": "", "tag": "", "item": "property"}
    for _ in range(2):
        assert (await hub_client.post("/arrears/rules", data=form)).status_code == 303
    page = (await hub_client.get("/arrears/rules")).text
    assert page.count("到期前 3 天，property，短信") == 1 and "679.41" in page
    async with hub.db.tx(EAST) as tx:
        [made] = await store_warning.rules(tx, [11])
    page = (await hub_client.get(f"/arrears/rules/{made.id}")).text
    assert "业主101" in page and "还有 3 天到期，未缴 679.41 元" in page and "业主102" not in page
    wrong = await hub_client.post("/arrears/rules", data=form | {"key": "click-0002", "days": ""})
    assert wrong.status_code == 422 and "1 到 365 天" in wrong.text
    assert (await hub_client.post(f"/arrears/rules/{made.id}/switch", data={"active": ""})).status_code == 303
    assert "停用" in (await hub_client.get("/arrears/rules")).text
    other = hub_client.another()
    await other.log_in("project_manager", project=21)
    assert (await other.get(f"/arrears/rules/{made.id}")).status_code == 404


def test_what_a_message_says_and_why():
    """W-05, X-07: the project's name and a telephone, no link"""
    lines = [Owed(1, "物业费", "3-1-502", date(2026, 11, 27), 67_941), Owed(2, "水费", "3-1-502", date(2026, 11, 28), 10_740)]
    found = text("枫桥雅苑", "021-0000-0000", lines, "before")
    assert found == "【枫桥雅苑】3-1-502 物业费、水费 786.81 元，应缴日 11-27，请按时缴纳。已缴请忽略，核对 021-0000-0000。"
    assert len(found) <= 70 and "http" not in found
    one = Rule(1, 11, "before", 3, "property", 5_000, "重点", "sms")
    assert said(one) == "到期前 3 天，property，标签“重点”，满 50.00 元，短信"
    why = computed(one, lines, date(2026, 11, 24))
    assert why[1] == "物业费 3-1-502 应缴日 2026-11-27，还有 3 天到期，未缴 679.41 元" and why[-1] == "合计 786.81 元"
