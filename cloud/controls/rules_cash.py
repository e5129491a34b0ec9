"""Rules about cash on its way to the bank, takings that stay away, boxes that are silent (G-08, W-06, B-05)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from cloud.controls import store_cash as store
from cloud.controls.domain import Evidence, Finding, Step, unbanked_since
from cloud.controls.limits import Look
from cloud.counter import service as counter
from protocols.money import Fen, yuan
from protocols.time import business_date, civil

WEEKS = 4
"""Weekdays are compared with the last four of the same name."""
_FAR = timedelta(days=60)
_WEEKDAYS = "一二三四五六日"


async def overdue(look: Look) -> list[Finding]:
    """G-08, W-06: cash whose deadline (17:00 of the next working day) is over; one alarm for the oldest day that is out."""
    found = []
    rows = await store.unbanked(look.tx, None)
    if not rows:
        return []
    projects = [row["project_id"] for row in rows]
    days = await _by_project(look, projects)
    for row in rows:
        calendar = await look.calendar(row["company_id"])
        due = counter.last_due(look.now, calendar.works)
        fen = counter.older(row["fen"], days.get(row["project_id"], []), due)
        oldest = unbanked_since([one for one in days.get(row["project_id"], []) if one[0] <= due], fen)
        if fen <= 0 or oldest is None:
            continue
        theirs = [one for one in await store.transit(look.tx, [row["project_id"]]) if one["fen"] > 0]
        names = "、".join(dict.fromkeys(f"{one['holder_name'] or one['holder']}" for one in theirs)) or "还在抽屉"
        age = counter.working_days(oldest, business_date(look.now), calendar.works)
        deadline = counter.deadline(oldest, calendar.works)
        steps = [
            Step(one["since"], f"{yuan(one['fen'])} 由 {one['holder_name'] or one['holder']} 经手", one["ref"])
            for one in theirs
            if one["since"] is not None
        ]
        found.append(
            Finding(
                f"cash:{row['project_id']}:{oldest}", row["company_id"], row["project_id"], f"day:{oldest}", "现金逾期未缴存",
                f"{oldest:%m-%d} 起的现金 {yuan(fen)} 到 {civil(deadline):%m-%d %H:%M} 应已到账，"
                f"现在 {age} 个工作日，经手：{names}。",
                deadline, tuple(dict.fromkeys(one["holder"] for one in theirs if one["holder"])), "", fen,
                {"working_days": age, "oldest": str(oldest)}, [*steps, Step(deadline, "到期未到账，发出告警", "", True)],
                [Evidence("缴款单", f"/deposit-slips?at=p{row['project_id']}", names, fen),
                 Evidence("在途现金", f"/cash?tab=transit&at=p{row['project_id']}", f"{age} 个工作日", fen)],
            )
        )  # fmt: skip
    return found


async def _by_project(look: Look, projects: list[int]) -> dict[int, list[tuple[date, Fen]]]:
    days: dict[int, list[tuple[date, Fen]]] = {}
    for row in await store.cash_since(look.tx, projects, business_date(look.now - _FAR)):
        days.setdefault(row["project_id"], []).append((row["day"], row["fen"]))
    return days


async def arrived_short(look: Look) -> list[Finding]:
    """G-08, C-36: the bank got less than the slip says; at the import of the statement."""
    found = []
    for row in await store.short_slips(look.tx, look.since):
        found.append(_short(row, row["arrived_fen"], row["amount_fen"], row["at"] or look.now))
    for row in await store.lesser_lines(look.tx, look.since):
        found.append(_short(row | {"slip_id": row["suggested"]}, row["amount_fen"], row["slip_fen"], row["at"]))
    return found


def _short(row: Mapping[str, Any], arrived: Fen, due: Fen, at: Any) -> Finding:
    number = row["slip_id"]
    return Finding(
        f"slip:{number}:short", row["company_id"], row["project_id"], f"slip:{number}", "缴款短少",
        f"缴款单 {number} 应到 {yuan(due)}，银行到 {yuan(arrived)}，少 {yuan(due - arrived)}，经手 {row['depositor_name']}。", at,
        (row["depositor"],), "", due - arrived, {"due_fen": due, "arrived_fen": arrived},
        [Step(at, f"对账单到账 {yuan(arrived)}", "银行", True)],
        [Evidence("缴款单", f"/deposit-slips/{number}", row["depositor_name"], due)],
    )  # fmt: skip


async def slip_waits(look: Look) -> list[Finding]:
    """G-08: a slip was made, and the bank knows nothing of it for days."""
    found = []
    for row in await store.waiting_slips(look.tx, look.now - _FAR):
        calendar = await look.calendar(row["company_id"])
        age = counter.working_days(business_date(row["made_at"]), business_date(look.now), calendar.works)
        if age < await look.limit("slip_days", row["company_id"]):
            continue
        number = row["slip_id"]
        found.append(
            Finding(
                f"slip:{number}:waits", row["company_id"], row["project_id"], f"slip:{number}", "缴款单对不上银行流水",
                f"缴款单 {number}（{yuan(row['amount_fen'])}）做了 {age} 个工作日，银行流水里还没有。", look.now,
                (row["depositor"],), "",
                row["amount_fen"], {"working_days": age},
                [Step(row["made_at"], "做缴款单", row["depositor_name"]), Step(look.now, f"{age} 个工作日没有到账", "", True)],
                [Evidence("缴款单", f"/deposit-slips/{number}", row["depositor_name"], row["amount_fen"])],
            )
        )  # fmt: skip
    return found


async def no_collection(look: Look) -> list[Finding]:
    """W-06: nothing came in by 18:00 at a project that usually collects on this weekday."""
    found = []
    for company, project, usual, today in await _weekday(look):
        if today or len(usual) < WEEKS - 1:
            continue
        weekday = _WEEKDAYS[business_date(look.now).weekday()]
        why = f"到 18:00 还没有一笔收款；近 {len(usual)} 个星期{weekday}平均 {yuan(_mean(usual))}。"
        found.append(_day(look, company, project, "今天还没有收款", why, _mean(usual)))
    return found


async def low_collection(look: Look) -> list[Finding]:
    """W-06: what came in until the evening is far below the average of this weekday."""
    found = []
    for company, project, usual, today in await _weekday(look):
        percent = await look.limit("low_percent", company)
        mean = _mean(usual)
        enough = len(usual) >= WEEKS - 1 and mean >= await look.limit("low_floor_fen", company)
        if not enough or not today or today * 100 > mean * (100 - percent):
            continue
        why = f"今天收款 {yuan(today)}，同星期平均 {yuan(mean)}，低了 {100 - today * 100 // mean}%。"
        found.append(_day(look, company, project, "收款明显偏低", why, mean - today))
    return found


async def _weekday(look: Look) -> list[tuple[int, int, list[Fen], Fen]]:
    """(company, project, takings of the last weekdays that were usual days, today's); nobody on a day that is no usual one."""
    today = business_date(look.now)
    past = [today - timedelta(days=7 * n) for n in range(1, WEEKS + 1)]
    sums: dict[tuple[int, int], dict[date, Fen]] = {}
    for row in await store.taken(look.tx, [today, *past]):
        sums.setdefault((row["company_id"], row["project_id"]), {})[row["day"]] = row["fen"]
    found = []
    for (company, project), days in sums.items():
        calendar = await look.calendar(company)
        if calendar.usual(today):
            found.append(
                (company, project, [days[day] for day in past if days.get(day) and calendar.usual(day)], days.get(today, 0))
            )
    return found


def _mean(values: list[Fen]) -> Fen:
    return sum(values) // len(values) if values else 0


def _day(look: Look, company: int, project: int, title: str, why: str, fen: Fen) -> Finding:
    day = business_date(look.now)
    return Finding(
        f"day:{project}:{day}", company, project, f"day:{day}", title, why, look.now, (), "", fen, {},
        [Step(look.now, title, "", True)],
        [Evidence("今天的收款", f"/receipts?at=p{project}&first={day}&last={day}", str(day)),
         Evidence("今日收款", f"/today?at=p{project}")],
    )  # fmt: skip


async def box_silent(look: Look) -> list[Finding]:
    """W-06, B-05: a box in service has said nothing for ten minutes."""
    found = []
    for row in await store.silent_boxes(look.tx, look.now - timedelta(minutes=1)):
        minutes = await look.limit("silent_minutes", row["company_id"])
        if look.now - row["last_seen"] <= timedelta(minutes=minutes):
            continue
        found.append(
            Finding(
                f"box:{row['box']}:{row['last_seen'].isoformat()}", row["company_id"], row["project_id"], f"box:{row['box']}",
                "盒子失联", f"盒子 {row['box']} 从 {civil(row['last_seen']):%m-%d %H:%M} 起没有消息。车道照常，数据恢复后补传。",
                row["last_seen"], (), row["box"], None, {}, [Step(row["last_seen"], "最后一次消息", row["box"])],
                [Evidence("盒子", f"/fleet?at=p{row['project_id']}", row["box"])],
            )
        )  # fmt: skip
    return found
