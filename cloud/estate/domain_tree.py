"""The tree below a project: what a room or another leaf is, how large, since when (P-01, P-03, P-07, P-08)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from cloud.estate.domain_fields import Reader

USES: dict[str, str] = {
    "residence": "住宅", "apartment": "公寓", "office": "写字楼", "shop": "商铺", "parking": "车位", "storage": "储藏室",
    "advertising": "广告位",
}  # fmt: skip
STATUSES: dict[str, str] = {
    "unsold": "未售", "handed_over": "已交付", "vacant": "空置", "decorating": "装修", "occupied": "入住", "let": "出租",
    "closed": "已关闭",
}  # fmt: skip
PROJECT_STATUSES: dict[str, str] = {"planned": "筹备", "active": "在管", "suspended": "暂停", "closed": "已退出"}
PROJECT_KINDS: dict[str, str] = {
    "residential": "小区", "office": "写字楼", "apartment": "公寓", "mall": "购物商场", "market": "专业市场",
}  # fmt: skip
PRICE_BASES: dict[str, str] = {"": "", "guided": "政府指导价", "market": "市场调节价"}

_AREA = Decimal("0.01"), Decimal("1000000")


@dataclass(frozen=True, slots=True)
class RoomValues:
    """What a person may set of a room (5.1). Areas in square metres, two decimals; `floor_factor` 1 unless the standard says."""

    code: str
    building: str = ""
    zone: str = ""
    unit: str = ""
    floor: int | None = None
    number: str = ""
    use: str = "residence"
    area: Decimal | None = None
    inside_area: Decimal | None = None
    apportion_area: Decimal | None = None
    floor_factor: Decimal = Decimal(1)
    headcount: int | None = None
    handover_on: date | None = None
    move_in_on: date | None = None
    charge_from: date | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class RoomRecord:
    """A room in full. `since`: the first day of `status`; `closed_on`: the first day it no longer is."""

    id: int
    company_id: int
    project_id: int
    values: RoomValues
    status: str
    since: date | None
    closed_on: date | None
    payer_id: int | None
    version: int

    @property
    def code(self) -> str:
        return self.values.code


@dataclass(frozen=True, slots=True)
class StatusSpan:
    """A status over [from_day, to_day); None on either side: without bound."""

    status: str
    from_day: date | None
    to_day: date | None


@dataclass(frozen=True, slots=True)
class Link:
    """A room that was split or merged, with what it became."""

    old_room_id: int
    old_code: str
    new_room_id: int
    new_code: str
    kind: str
    from_day: date


@dataclass(frozen=True, slots=True)
class BankAccount:
    id: int
    bank: str
    number: str
    holder: str
    purpose: str
    open: bool


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """The record of a project (P-03). `contract_to`: the first day after the contract."""

    id: int
    company_id: int
    company_name: str
    code: str
    name: str
    kind: str
    legal_entity: str
    province: str
    city: str
    district: str
    address: str
    managed_area: Decimal | None
    households: int | None
    contract_from: date | None
    contract_to: date | None
    opening_day: date | None
    status: str
    price_basis: str
    filing_no: str
    contact: str
    contact_phone: str
    version: int
    accounts: tuple[BankAccount, ...] = ()

    @property
    def payee(self) -> str:
        """The legal entity that collects, as printed (P-09)."""
        return self.legal_entity or self.company_name


ROOM_LABELS: dict[str, str] = {
    "code": "房号", "building": "楼栋", "zone": "分区", "unit": "单元", "floor": "楼层", "number": "室号", "use": "用途",
    "area": "建筑面积", "inside_area": "套内面积", "apportion_area": "分摊面积", "floor_factor": "楼层系数", "headcount": "人数",
    "handover_on": "交付日期", "move_in_on": "入住日期", "charge_from": "计费起始日", "status": "状态",
    "status_since": "状态起始日",
    "note": "备注",
}  # fmt: skip


def read_room(reader: Reader) -> RoomValues:
    """A room from its texts; what is wrong stands in `reader.problems`."""
    building, unit = reader.text("building", 40), reader.text("unit", 20)
    number = reader.text("number", 20)
    code = reader.text("code", 40)
    if not code:
        code = "-".join(part for part in (_short(building), _short(unit), number) if part) if number else ""
        if not code:
            reader.fail("code", "房号没有填。也可以填楼栋、单元、室号，房号按它们合成")
    area, inside = reader.decimal("area", 2, *_AREA, "㎡"), reader.decimal("inside_area", 2, *_AREA, "㎡")
    if area is not None and inside is not None and inside > area:
        reader.fail("inside_area", f"套内面积 {inside} 比建筑面积 {area} 还大，请核对")
    return RoomValues(
        code=code,
        building=building,
        zone=reader.text("zone", 40),
        unit=unit,
        floor=reader.whole("floor", -20, 300),
        number=number or code.rsplit("-", 1)[-1][:20],
        use=reader.choice("use", USES, "residence"),
        area=area,
        inside_area=inside,
        apportion_area=reader.decimal("apportion_area", 2, Decimal(0), _AREA[1], "㎡"),
        floor_factor=reader.decimal("floor_factor", 4, Decimal("0.0001"), Decimal(100)) or Decimal(1),
        headcount=reader.whole("headcount", 0, 999),
        handover_on=reader.day("handover_on"),
        move_in_on=reader.day("move_in_on"),
        charge_from=reader.day("charge_from"),
        note=reader.text("note", 200),
    )


def _short(text: str) -> str:
    """'3 栋' -> '3', '1单元' -> '1'."""
    return re.sub(r"\s*(栋|号楼|幢|座|单元|楼)$", "", text)


def spans(rows: Sequence[tuple[date, str]]) -> list[StatusSpan]:
    """Statuses as they followed each other; `rows`: (first day, status) in order, the later of one day counts."""
    by_day: dict[date, str] = {}
    for day, status in rows:
        by_day[day] = status
    days = sorted(by_day)
    ends: list[date | None] = [*days[1:], None]
    return [StatusSpan(by_day[day], day, end) for day, end in zip(days, ends, strict=True)]


def long_code(code: str, building: str = "", unit: str = "", number: str = "") -> str:
    """'3-1-502' -> '3 栋 1 单元 502'; other forms as they are (UI.md 5)."""
    parts = code.split("-")
    if len(parts) == 3 and all(part.isalnum() for part in parts):
        return f"{parts[0]} 栋 {parts[1]} 单元 {parts[2]}"
    if building and unit and number:
        return f"{_short(building)} 栋 {_short(unit)} 单元 {number}"
    return code


PROJECT_LABELS: Mapping[str, str] = {
    "name": "项目名称", "legal_entity": "收款单位", "kind": "类型", "province": "省", "city": "市", "district": "区县",
    "address": "地址",
    "managed_area": "管理面积", "households": "户数", "contract_from": "合同开始", "contract_to": "合同最后一天",
    "opening_day": "启用日期", "status": "状态", "price_basis": "定价方式", "filing_no": "备案号", "contact": "联系人",
    "contact_phone": "联系电话",
}  # fmt: skip
