"""What the pages show, put together from rows: the day's table, lines that need somebody. Amounts in fen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cloud.shared.places import Place
from protocols.money import Fen
from protocols.time import civil

KINDS = {"residential": "小区", "office": "写字楼", "apartment": "公寓", "mall": "商场", "market": "专业市场"}
TENDER_ORDER = ("cash", "pos", "transfer", "cheque", "wechat", "alipay", "simulated")


MOVED = ("transit_fen", "overdue_fen", "banked_fen", "arrivals", "short_fen")


@dataclass(slots=True)
class Sums:
    """The day's money of a project, a company or all: by tender, in drawers, on its way to the bank (`overdue_fen` of it past its
    deadline), arrived there today, missing at a count (`short_fen`), and what nobody has explained.
    """

    tenders: dict[str, Fen] = field(default_factory=dict)
    receipts: int = 0
    drawer_fen: Fen = 0
    suspense_fen: Fen = 0
    transit_fen: Fen = 0
    overdue_fen: Fen = 0
    banked_fen: Fen = 0
    arrivals: int = 0
    short_fen: Fen = 0
    boxes: int = 0
    boxes_up: int = 0

    @property
    def total_fen(self) -> Fen:
        return sum(self.tenders.values())

    @property
    def cash_fen(self) -> Fen:
        return self.tenders.get("cash", 0)

    @property
    def box_tone(self) -> str:
        return "off" if not self.boxes else "" if self.boxes_up == self.boxes else "bad"

    def add(self, other: Sums) -> None:
        for tender, fen in other.tenders.items():
            self.tenders[tender] = self.tenders.get(tender, 0) + fen
        self.receipts += other.receipts
        self.drawer_fen += other.drawer_fen
        self.suspense_fen += other.suspense_fen
        for name in MOVED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.boxes += other.boxes
        self.boxes_up += other.boxes_up


@dataclass(frozen=True, slots=True)
class Day:
    """The table of projects: each project's sums, subtotals by company, the total, and the tenders that have a column."""

    projects: Mapping[int, Sums]
    companies: Mapping[int, Sums]
    total: Sums
    tenders: tuple[str, ...]


def day_of(
    where: Place,
    takings: Sequence[Mapping[str, Any]],
    drawers: Sequence[Mapping[str, Any]],
    suspense: Sequence[Mapping[str, Any]],
    boxes: Sequence[Mapping[str, Any]],
    moved: Sequence[Mapping[str, Any]] = (),
) -> Day:
    """Rows of the views -> the table; subtotals and total are sums of the projects' rows, so they always agree (0.6)."""
    projects = {project: Sums() for project in where.ids}
    for row in takings:
        one = projects[row["project_id"]]
        one.tenders[row["tender"]] = one.tenders.get(row["tender"], 0) + row["amount_fen"]
        one.receipts += row["receipts"]
    for row in drawers:
        projects[row["project_id"]].drawer_fen += row["cash_fen"]
    for row in suspense:
        projects[row["project_id"]].suspense_fen += row["amount_fen"]
    for row in moved:
        for name in MOVED:
            setattr(projects[row["project_id"]], name, row[name])
    for row in boxes:
        if row["claimed_at"] is None:
            continue
        one = projects[row["project_id"]]
        one.boxes += 1
        one.boxes_up += row["state"] == "online" and row["quarantined_at"] is None
    companies = {company.id: Sums() for company in where.shown}
    total = Sums()
    for company in where.shown:
        for project in company.projects:
            companies[company.id].add(projects[project.id])
        total.add(companies[company.id])
    named = [tender for tender in TENDER_ORDER if tender == "cash" or total.tenders.get(tender)]
    other = sorted(set(total.tenders) - set(TENDER_ORDER))
    return Day(projects, companies, total, (*named, *other))


def cumulated(rows: Sequence[Mapping[str, Any]], last_hour: int) -> list[Fen]:
    """Rows (hour, amount_fen) -> what had been taken by the end of each hour 0 .. last_hour."""
    by_hour: dict[int, Fen] = {}
    for row in rows:
        by_hour[row["hour"]] = by_hour.get(row["hour"], 0) + row["amount_fen"]
    sums, total = [], 0
    for hour in range(last_hour + 1):
        total += by_hour.get(hour, 0)
        sums.append(total)
    return sums


@dataclass(frozen=True, slots=True)
class Todo:
    """Something that needs somebody: what, where, what happens next, where it opens."""

    icon: str
    title: str
    text: str
    url: str
    since: datetime | None = None


LANE_STATES: Mapping[str, tuple[str, str, str]] = {
    "ok": ("空闲", "ok", "circle-check"),
    "due": ("等收费", "info", "car"),
    "call": ("呼叫", "bad", "phone-ringing"),
    "refused": ("不放行", "wait", "ban"),
    "unread": ("没认出车牌", "wait", "eye"),
    "stuck_open": ("杆放不下", "bad", "tool"),
    "stuck_closed": ("杆抬不起", "bad", "tool"),
    "vehicle_under_arm": ("杆下有车", "bad", "car"),
    "store_full": ("存储满", "bad", "database"),
}
"""state of report_lanes -> word, tone, icon (UI.md 6)"""

CATEGORIES = {"casual": "临停", "monthly": "月租", "free": "免费", "vip": "VIP", "visitor": "访客", "stored": "储值",
              "blacklist": "黑名单", "special": "免费车辆", "escaped": "逃费", "unknown": "待核"}  # fmt: skip


def todos(
    where: Place,
    suspense: Sequence[Mapping[str, Any]],
    boxes: Sequence[Mapping[str, Any]],
    strokes: Sequence[Mapping[str, Any]],
    differences: Sequence[Mapping[str, Any]],
    yuan: Callable[[Fen], str],
) -> list[Todo]:
    """What needs somebody, somebody's money first, then safety, then what waits."""
    found = []
    by_project: dict[int, list[Mapping[str, Any]]] = {}
    for row in suspense:
        by_project.setdefault(row["project_id"], []).append(row)
    for project, rows in by_project.items():
        total = sum(row["amount_fen"] for row in rows)
        url = f"/receipts?kind=suspense&first=2000-01-01&at=p{project}"
        text = f"{where.name_of(project)} · {len(rows)} 笔，已入账，原因待核"
        found.append(Todo("alert-triangle", f"待查 {yuan(total)} 元", text, url))
    for row in strokes:
        title = f"{row['lane_name']} 无指令抬杆 {row['n']} 次"
        text = f"{where.name_of(row['project_id'])} · 最近一次 {civil(row['at']):%H:%M:%S}，没有命令也没有收款"
        found.append(Todo("hand-stop", title, text, f"/lanes?at=p{row['project_id']}"))
    for row in boxes:
        found += _box_todos(where, row)
    for row in differences:
        text = f"{where.name_of(row['project_id'])} · 盒子算的和总部复算的不一样"
        found.append(Todo("scale", f"{row['n']} 笔停车费和总部算的不同", text, f"/lanes?at=p{row['project_id']}"))
    return found


def _box_todos(where: Place, row: Mapping[str, Any]) -> list[Todo]:
    name, url = where.name_of(row["project_id"]), f"/fleet?at=p{row['project_id']}"
    found = []
    if row["quarantined_at"] is not None:
        text = f"{name} · 同一编号来了两份不同的记录，停止确认，等总部核对"
        found.append(Todo("lock", f"盒子 {row['box']} 已隔离", text, url))
    elif row["state"] == "silent":
        found.append(Todo("plug-connected-x", f"盒子 {row['box']} 失联", f"{name} · 车道照常放行，数据恢复后补传", url))
    if row["refused"]:
        text = f"{name} · 已留存，待核对后重新入账"
        found.append(Todo("ban", f"盒子 {row['box']} 有 {row['refused']} 条事件被退回", text, url))
    return found


@dataclass(frozen=True, slots=True)
class Step:
    """One of the steps from nothing to the first receipt: `url` where it is done by whoever holds `permission`, `who` else."""

    name: str
    text: str
    done: bool
    url: str = ""
    permission: str = ""
    who: str = ""


def steps(projects: bool, there: Mapping[str, Any]) -> list[Step]:
    """UI.md 17. The group and its first administrator stand already: somebody is looking."""
    rooms, charges, shifts = there["rooms"], there["charges"], there["shifts"]
    return [
        Step("集团和管理员", "已经有了", True),
        Step("建第一个项目", "名称、法人、类型", projects, who="由总部建"),
        Step("导入房屋和业主", "拖一张 Excel，先试算再写入", rooms, "/owners/import", "room.write", "由项目经理导入"),
        Step(
            "收费标准和应收",
            "每平方米每月多少元，先看三户的账单",
            charges,
            "/fees",
            "standard.write",
            "由项目经理定，总部批",
        ),
        Step("开班", "备用金多少，哪个窗口", shifts, "/desk", "counter.collect", "由收费员开"),
        Step("收第一笔", "收款、打印，总部一秒内看到", False, "/desk", "counter.collect", "由收费员收"),
    ]
