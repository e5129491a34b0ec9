"""What the demo's rooms are charged (F-01 .. F-08, T-01): items, standards that a second person puts in force, runs by month.

`expected` comes to every bill and its late fee a second time, by arithmetic of its own: what the hub says must be the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from protocols.money import Fen, round_fen
from sim.demo.world import ProjectSeed, RoomSeed, month
from sim.people.staff import HubUser

_DAILY_RATE = "0.0005"
_DUE_DAY = 15
_TON_FEN = 390
_RUNS = 3
"""Bills of the last months come month by month, whatever is older in the first run together."""
SINCE = "2025-01-01"
"""When the prices began: in the past, so that headquarters has to approve them (F-04)."""

ITEMS: tuple[dict[str, Any], ...] = (
    {"code": "property", "name": "物业费", "category": "recurring", "held_for_others": False, "part_payment": True},
    {"code": "space", "name": "车位管理费", "category": "recurring", "held_for_others": False, "part_payment": True},
    {"code": "refuse", "name": "垃圾清运费", "category": "recurring", "held_for_others": True, "part_payment": False},
    {"code": "water", "name": "水费", "category": "metered", "held_for_others": True, "part_payment": False},
    {"code": "renovation", "name": "装修押金", "category": "deposit", "held_for_others": True, "part_payment": False},
)
_WALLETS = {"property": "property", "water": "water"}
"""Items that a wallet of their own pays before the general one."""

_MONTHLY: dict[str, Any] = {
    "cycle": "month",
    "every": 1,
    "alignment": "natural",
    "billed": "advance",
    "offset_days": 0,
    "due": {"rule": "nth_day", "day": _DUE_DAY},
    "roll_to_workday": False,
}
_TERMS = (
    (
        "monthly-late",
        "按月预收，逾期每日万分之五",
        {"daily_rate": _DAILY_RATE, "grace_days": 0, "grace_mode": "from_due"},
    ),
    ("monthly", "按月预收，不计违约金", None),
)
_PERIODS = {"proration_start": "actual", "proration_end": "actual", "on_price_change": "keep", "refund_running": True}


@dataclass(frozen=True, slots=True)
class Price:
    """A standard of a project: yuan a month by square metre, by parking space or by household."""

    item: str
    name: str
    yuan: str
    method: str
    term: str

    @property
    def rules(self) -> dict[str, Any]:
        area = {"area_kind": "gross"} if self.method == "area" else {}
        return {"method": self.method, "price": self.yuan, "price_per": "month", **area, **_PERIODS}

    def rooms(self, project: ProjectSeed) -> list[RoomSeed]:
        return [room for room in project.rooms if self.method != "unit" or room.spaces]

    def fen(self, room: RoomSeed) -> Fen:
        """A month of it."""
        times = Decimal(room.area_hundredths) / 100 if self.method == "area" else room.spaces if self.method == "unit" else 1
        return round_fen(Decimal(self.yuan) * 100 * times)


_PRICES = {
    "residential": (
        Price("property", "住宅物业费", "2.35", "area", "monthly-late"),
        Price("space", "地下车位管理费", "60.00", "unit", "monthly"),
        Price("refuse", "垃圾清运费", "8.00", "fixed", "monthly"),
    ),
    "mall": (
        Price("property", "商铺物业费", "12.80", "area", "monthly-late"),
        Price("refuse", "商铺垃圾清运费", "120.00", "fixed", "monthly"),
    ),
}


@dataclass(frozen=True, slots=True)
class Bill:
    """One line as it must stand: item, first day of its period, and in fen what it is and what late fee it has grown."""

    item: str
    first_day: date
    amount_fen: Fen
    late_fee_fen: Fen


def prices(project: ProjectSeed) -> tuple[Price, ...]:
    return _PRICES[project.kind]


def expected(project: ProjectSeed, room: RoomSeed, seeded: date, day: date) -> set[Bill]:
    """What a room that paid nothing since owes on a day."""
    found = set()
    for back in range(room.months):
        first, _ = month(seeded, back)
        for price in prices(project):
            if room in price.rooms(project):
                fen = price.fen(room)
                days = max(0, (day - first.replace(day=_DUE_DAY)).days) if price.term == "monthly-late" else 0
                found.add(Bill(price.item, first, fen, round_fen(Decimal(fen * days) * Decimal(_DAILY_RATE))))
    return found | {Bill("water", month(seeded, 1)[0], room.tons * _TON_FEN, 0)}


def billed(project: ProjectSeed, seeded: date) -> dict[str, Fen]:
    """What all rooms were billed, by ledger account."""
    held = {item["code"] for item in ITEMS if item["held_for_others"]}
    sums: dict[str, Fen] = {}
    for room in project.rooms:
        for bill in expected(project, room, seeded, seeded):
            account = f"{'agency' if bill.item in held else 'revenue'}:{bill.item}"
            sums[account] = sums.get(account, 0) + bill.amount_fen
    return sums


def differences(code: str, wanted: Iterable[Bill], lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """Where the hub's open lines of a room are not what they must be, each in a sentence."""
    ours = set(wanted)
    theirs = {
        Bill(line["item"], date.fromisoformat(line["first_day"]), line["amount_fen"], line["late_fee_fen"]) for line in lines
    }
    return [f"room {code}: {bill} is not in the hub" for bill in sorted(ours - theirs, key=str)] + [
        f"room {code}: the hub has {bill}" for bill in sorted(theirs - ours, key=str)
    ]


async def seed_bills(manager: HubUser, finance: HubUser, project: ProjectSeed, project_id: int, today: date) -> int:
    """Prices in force, rooms assigned, bills of some months published, the last water readings imported; how many lines."""
    items = {"project": project_id, "items": _items(), "lines": [], "reason": "上线时在收的项目"}
    asked_for = await manager.must("POST", "/api/v1/fees/lines", items)
    if "approval" in asked_for:
        await finance.approve(asked_for["approval"], "与收费公示核对一致")
    terms = {code: await _term(manager, project_id, code, name, late) for code, name, late in _TERMS}
    for price in prices(project):
        await _price(manager, finance, project, project_id, price, terms[price.term], today)
    made = 0
    oldest = max(room.months for room in project.rooms)
    for back in range(min(_RUNS, oldest) - 1, -1, -1):
        first, last = month(today, back)
        title = f"{first:%Y 年 %-m 月}" + ("及以前" if back == _RUNS - 1 and oldest > _RUNS else "")
        made += await _bill(manager, project_id, f"{title}应收", min(last, today))
    readings = [_reading(room, *month(today, 1)) for room in project.rooms]
    body = {"project": project_id, "lines": readings, "reason": "上月水表抄见数"}
    asked_for = await manager.must("POST", "/api/v1/fees/lines", body)
    await finance.approve(asked_for["approval"], "与抄表册核对一致")
    return made + len(readings)


def _items() -> list[dict[str, Any]]:
    return [
        item | {"allocation_priority": n, "print_order": n, "wallet_purpose": _WALLETS.get(item["code"], "general")}
        for n, item in enumerate(ITEMS, 1)
    ]


async def _term(manager: HubUser, project_id: int, code: str, name: str, late: dict[str, Any] | None) -> int:
    rules = _MONTHLY | ({"late": late} if late else {})
    made = await manager.must("POST", "/api/v1/fees/terms", {"project": project_id, "code": code, "name": name, "rules": rules})
    return int(made["id"])


async def _price(
    manager: HubUser, finance: HubUser, project: ProjectSeed, project_id: int, price: Price, term: int, today: date
) -> None:
    """Write a standard, have it approved, and charge rooms by it, each from its first month that is not paid."""
    body = {"project": project_id, "item": price.item, "code": f"{project.code}-{price.item}", "name": price.name}
    standard = (await manager.must("POST", "/api/v1/fees/standards", body))["id"]
    asked = await draft(manager, standard, price.rules, term, SINCE, "上线前已在执行的价格，按备案文件录入")
    await finance.approve(asked, "与备案文件核对一致")
    alike: dict[tuple[int, int], list[str]] = {}
    for room in price.rooms(project):
        alike.setdefault((room.months, room.spaces if price.method == "unit" else 0), []).append(room.code)
    for (months, spaces), codes in sorted(alike.items()):
        body = {
            "room_codes": codes,
            "first_day": month(today, months - 1)[0].isoformat(),
            "options": {"quantity": str(spaces)} if spaces else {},
            "reason": "以前的费用在上线前已结清",
        }
        await manager.must("POST", f"/api/v1/fees/standards/{standard}/assignments", body)


async def draft(manager: HubUser, standard: int, rules: dict[str, Any], term: int, since: str, reason: str) -> int:
    """A version of a standard and the request to put it in force; the request's id."""
    body = {"effective_from": since, "rules": rules, "term": term, "reason": reason}
    version = await manager.must("POST", f"/api/v1/fees/standards/{standard}/versions", body)
    words = {"key": f"demo-publish-{version['id']}", "terminal": "办公室"}
    asked = await manager.must("POST", f"/api/v1/fees/versions/{version['id']}/publish", words)
    return int(asked["approval"])


async def _bill(manager: HubUser, project_id: int, title: str, through: date) -> int:
    """Draft what is billed through a day, publish it; how many lines."""
    body = {"project": project_id, "through": through.isoformat(), "title": title, "key": f"demo-run-{through}"}
    drafted = await manager.job((await manager.must("POST", "/api/v1/fees/runs", body))["job"])
    batch = drafted["batch"]
    published = await manager.must("POST", f"/api/v1/fees/runs/{batch}/publish", {"project": project_id})
    return int((await manager.job(published["job"]))["lines"])


def _reading(room: RoomSeed, first: date, last: date) -> dict[str, Any]:
    """Water is read, not billed by period: its lines come from the list of readings."""
    return {
        "item": "water",
        "room_code": room.code,
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "due": (last + timedelta(days=15)).isoformat(),
        "amount_fen": room.tons * _TON_FEN,
        "formula": f"{room.tons} 吨 × {_TON_FEN // 100}.{_TON_FEN % 100:02d} 元/吨",
        "quantity": room.tons,
        "unit_price": f"{_TON_FEN // 100}.{_TON_FEN % 100:02d}",
    }


async def seed_all(
    manager: HubUser, finance: HubUser, projects: Iterable[ProjectSeed], ids: Mapping[str, int], today: date
) -> dict[str, int]:
    """Every project at once: code -> lines."""
    wanted = list(projects)
    made = await asyncio.gather(*(seed_bills(manager, finance, one, ids[one.code], today) for one in wanted))
    return {one.code: lines for one, lines in zip(wanted, made, strict=True)}
