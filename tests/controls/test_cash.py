"""Cash that does not reach the bank, takings that stay away, a box that is silent: each with its twin (G-08, W-06, G-21)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from cloud.counter import closing
from tests.support.staff import at_work, close_day, hand_in, key, make_slip, pay

DAY = date(2026, 11, 24)


@pytest.fixture
async def site(hub):
    return await at_work(hub)


async def taken(site, fen: int = 30_300) -> None:
    """Taken, counted, handed to the second cashier, and the day closed."""
    await pay(site, fen)
    await hand_in(site, fen)
    site.step(hours=8)
    await close_day(site)


async def statement(site, *rows: tuple[str, str, str]) -> dict:
    """Headquarters reads the bank's file: (day, yuan, remark)."""
    account = (await site.people["9001"].get("/api/v1/counter/bank-accounts"))["accounts"][0]["id"]
    lines = "\n".join(
        ["交易日期,收入金额,摘要,流水号", *(f"{day},{yuan},{text},S{n}" for n, (day, yuan, text) in enumerate(rows))]
    )
    return await site.people["9001"].do(
        "POST", "/api/v1/counter/statements", data={"account": str(account)}, files={"file": ("a.csv", lines.encode())}
    )


async def test_cash_that_stays_in_somebodys_pocket(site):
    """G-08, W-06: in transit with the second cashier; at 17:00 of the next working day headquarters hears once."""
    await taken(site)
    site.step(hours=20)  # Wednesday 16:00
    assert "overdue" not in await site.rules()
    site.step(hours=1, minutes=1)
    raised = [one for one in await site.look() if one.rule == "overdue"]
    assert [(one.finding.amount_fen, one.finding.persons) for one in raised] == [(30_300, ("0202",))]
    site.step(days=1)
    assert "overdue" not in await site.rules(), "the same cash is the same alarm"


async def test_cash_that_is_banked_in_time(site):
    """G-08, the twin: the bank's file confirms it before the deadline."""
    await taken(site)
    number = await make_slip(site, DAY)
    slip = await site.people["9001"].get(f"/api/v1/counter/slips/{number}")
    site.step(hours=18)
    done = await statement(site, ("2026-11-25", "303.00", f"现金存入 {slip['no']}"))
    lines = [one["line"] for one in done["matched"]]
    await site.people["9001"].post(f"/api/v1/counter/slips/{number}/arrival", {"lines": lines, "reason": "", "key": key()})
    for _ in range(6):
        site.step(days=1)
        assert not {"overdue", "arrived_short", "slip_waits"} & await site.rules()


async def test_the_bank_got_less_than_the_slip_says(site):
    """G-08, C-36: at the import, whoever confirms it later."""
    await taken(site)
    number = await make_slip(site, DAY)
    slip = await site.people["9001"].get(f"/api/v1/counter/slips/{number}")
    site.step(hours=18)
    await statement(site, ("2026-11-25", "203.00", f"现金存入 {slip['no']}"))
    raised = [one for one in await site.look() if one.rule == "arrived_short"]
    assert [(one.finding.amount_fen, one.finding.persons) for one in raised] == [(10_000, ("0202",))]


async def test_a_slip_the_bank_knows_nothing_of(site):
    """G-08: made on Tuesday, nothing in the statements on Friday (third working day); quiet on Thursday."""
    await taken(site)
    await make_slip(site, DAY)
    site.step(days=2)
    assert "slip_waits" not in await site.rules()
    site.step(days=1)
    assert "slip_waits" in await site.rules()


async def test_friday_cash_is_not_late_on_saturday(site):
    """G-08, the twin: the deadline is the next working day."""
    site.step(days=3)
    await taken(site)
    site.step(days=2)  # Sunday
    assert "overdue" not in await site.rules()
    site.step(days=1)  # Monday evening
    assert "overdue" in await site.rules()


async def weeks(site, count: int = 4) -> None:
    """The same weekday of some weeks, 1,000 yuan by card each; ends on the next one, at noon."""
    for n in range(count):
        await pay(site, 100_000, room=101 + n, tender="pos", reference=f"POS-{n}")
        site.shifts.clear()
        site.step(days=7)
        await close_shifts(site)
        await site.look()


async def close_shifts(site) -> None:
    """Whatever stands open is ended as the system does it, so that the next day begins with a shift of its own."""
    await closing.close_what_is_open(site.hub.db, site.now, None)


async def test_a_day_without_a_payment(site):
    """W-06: four Tuesdays brought money, this one nothing until 18:00."""
    await weeks(site)
    site.step(hours=5, minutes=59)
    assert "no_collection" not in await site.rules()
    site.step(minutes=2)
    assert "no_collection" in await site.rules()


async def test_a_day_far_below_the_usual(site):
    """W-06: 300 of 1,000; 500 is a quiet day."""
    await weeks(site)
    await pay(site, 30_000, room=120, tender="pos", reference="POS-9", month=11, who="0202")
    site.step(hours=8, minutes=1)
    assert "low_collection" in await site.rules()


async def test_a_quiet_day_is_no_alarm(site):
    """W-06, the twin; and nothing is said of a project that never collects."""
    await weeks(site)
    await pay(site, 50_000, room=120, tender="pos", reference="POS-9", month=11, who="0202")
    site.step(hours=8, minutes=1)
    assert not {"no_collection", "low_collection"} & await site.rules()


def box_heard(site, admin, at) -> None:
    admin.execute(
        f"""
        INSERT INTO boxes (id, company_id, project_id, registered_at, registered_by, claimed_at)
            VALUES ('fengqiao-01', 1, 11, '{at}', 'test', '{at}') ON CONFLICT DO NOTHING;
        INSERT INTO box_sessions (box, company_id, project_id, last_seen, nonce, boot, clock, broker, health)
            VALUES ('fengqiao-01', 1, 11, '{at}', 'n', 'b', 'ntp', 'm', '{{}}')
            ON CONFLICT (box) DO UPDATE SET last_seen = excluded.last_seen
        """
    )


async def test_a_box_that_was_unplugged(site, money_admin):
    """W-06, B-05: ten minutes of silence; nine are a bad line. One alarm as long as it lasts."""
    box_heard(site, money_admin, site.now)
    site.step(minutes=9)
    assert "box_silent" not in await site.rules()
    site.step(minutes=2)
    raised = [one for one in await site.look() if one.rule == "box_silent"]
    assert len(raised) == 1
    site.step(hours=3)
    assert "box_silent" not in await site.rules()
    shown = await site.people["9002"].get(f"/api/v1/incidents/{raised[0].incident_id}")
    assert shown["state"] == "open"


async def test_a_reported_power_cut_explains_it_when_a_device_confirms_it(site, money_admin):
    """G-21: the manager reports; the box fell silent then: explained from the start, still written down."""
    box_heard(site, money_admin, site.now)
    site.step(minutes=4)
    body = {"project": 11, "kind": "power", "since": (site.now - timedelta(minutes=4)).isoformat(), "reason": "供电局检修"}
    await site.people["0301"].post("/api/v1/site-reports", body)
    site.step(minutes=8)
    raised = [one for one in await site.look() if one.rule == "box_silent"]
    shown = await site.people["9002"].get(f"/api/v1/incidents/{raised[0].incident_id}")
    assert shown["state"] == "explained" and "设备证实" in shown["history"][0]["text"]


async def test_a_report_alone_explains_nothing(site, money_admin):
    """G-21: no device confirms it; and nobody reports what lies days back."""
    await weeks(site)
    box_heard(site, money_admin, site.now + timedelta(hours=6))
    body = {"project": 11, "kind": "power", "since": (site.now - timedelta(hours=2)).isoformat(), "reason": "停电了",
            "until": site.now.isoformat()}  # fmt: skip
    await site.people["0301"].post("/api/v1/site-reports", body)
    old = body | {"since": (site.now - timedelta(days=2)).isoformat()}
    assert (await site.people["0301"].post("/api/v1/site-reports", old, ok=False)).status_code == 422
    site.step(hours=6, minutes=1)
    raised = [one for one in await site.look() if one.rule == "no_collection"]
    shown = await site.people["9002"].get(f"/api/v1/incidents/{raised[0].incident_id}")
    assert shown["state"] == "open"
