"""Working days are data with their source; headquarters corrects them (C-35, G-08)."""

from __future__ import annotations

from datetime import date, timedelta

from cloud.counter import banking
from cloud.counter.domain_cash import deadline
from tests.cloud.counter.test_pages_cash import browser
from tests.support.money import EAST, NORTH

OFF = {
    "元旦": ("01-01", "01-03"), "春节": ("02-15", "02-23"), "清明节": ("04-04", "04-06"), "劳动节": ("05-01", "05-05"),
    "端午节": ("06-19", "06-21"), "中秋节": ("09-25", "09-27"), "国庆节": ("10-01", "10-07"),
}  # fmt: skip
WORKED = ("01-04", "02-14", "02-28", "05-09", "09-20", "10-10")
"""Of the notice 国办发明电〔2025〕7号, as printed on 2025-11-05."""


async def test_the_days_of_2026_are_those_of_the_notice_which_is_named(money_db):
    wanted: dict[date, bool] = {date.fromisoformat(f"2026-{day}"): True for day in WORKED}
    for first, last in OFF.values():
        day = date.fromisoformat(f"2026-{first}")
        while day <= date.fromisoformat(f"2026-{last}"):
            wanted[day] = False
            day += timedelta(days=1)
    async with money_db.tx(EAST) as tx:
        rows = await tx.fetch_all("SELECT day, works, source FROM calendar_days WHERE extract(year FROM day) = 2026", ())
    assert {row["day"]: row["works"] for row in rows} == wanted
    assert all("国办发明电〔2025〕7号" in row["source"] for row in rows)
    assert all(day.weekday() >= 5 for day, works in wanted.items() if works), "only weekends are worked instead"


async def test_headquarters_corrects_a_companys_day_and_takes_it_back(hub, hub_client):
    finance, form, _ = await browser(hub_client, "hq_finance")
    day = date(2026, 11, 25)
    sent = form | {"company": "1", "on_day": str(day), "works": "off", "name": "司庆放假"}
    assert (await finance.post("/deposit-slips/calendar", data=sent)).status_code == 303
    assert "司庆放假" in (await finance.get("/deposit-slips")).text
    for scope, company, due in ((EAST, 1, date(2026, 11, 26)), (NORTH, 2, day)):
        async with hub.db.tx(scope) as tx:
            assert deadline(date(2026, 11, 24), await banking.working(tx, company)).date() == due
    body = {"company": 1, "day": str(day), "works": None, "name": "改回来", "key": "calendar-1"}
    assert (await finance.put("/api/v1/counter/calendar", json=body)).status_code == 200
    async with hub.db.tx(EAST) as tx:
        assert deadline(date(2026, 11, 24), await banking.working(tx, 1)).date() == day
        told = await tx.fetch_all("SELECT reason FROM audit_log WHERE action = 'calendar.change' ORDER BY id", ())
    assert [row["reason"] for row in told] == ["司庆放假", "改回来"]
    wrong = await finance.post("/deposit-slips/calendar", data=sent | {"name": ""})
    assert (wrong.status_code, "原因要填" in wrong.text) == (422, True)
    assert (await finance.put("/api/v1/counter/calendar", json=body | {"company": 9})).status_code == 404
    manager, token, _ = await browser(hub_client, "sub_manager", company=1)
    assert (await manager.put("/api/v1/counter/calendar", json=body)).status_code == 403
    assert (await manager.get("/api/v1/counter/calendar")).json()["years"] == [2026]
