"""Rules about prices, facts of rooms, and tenders that no outside record knows (G-04, G-09)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from cloud.controls import store_prices as store
from cloud.controls.domain import Evidence, Finding, Step
from cloud.controls.limits import Look
from cloud.shared.words import TENDERS
from protocols.money import yuan
from protocols.time import business_date

_FACTS = {
    "area": "建筑面积",
    "inside_area": "套内面积",
    "apportion_area": "公摊面积",
    "floor_factor": "楼层系数",
    "headcount": "人数",
    "charge_from": "计费开始日",
}
_KINDS = {"exception": "个别户另定", "few_rooms": "少数户专用的价格", "multiplier": "倍率变更", "contract": "合同价"}
_DAYS = timedelta(days=120)


async def price_low(look: Look) -> list[Finding]:
    """G-04: a price below the filed one, for one or two rooms, an exception, another multiplier; with a year's money."""
    found = []
    for row in await store.prices(look.tx, look.since):
        few = row["few_rooms"] and row["rooms"] < await look.limit("few_rooms", row["company_id"])
        odd = row["kind"] in ("exception", "multiplier") or few and row["kind"] in ("price", "few_rooms")
        less = row["yearly_fen"] is not None and row["yearly_fen"] < 0
        if not row["below_filed"] and not odd and not (row["kind"] == "contract" and less):
            continue
        filed = f"低于备案价 {row['filed_price']}" if row["below_filed"] else _KINDS.get(row["kind"], f"只用于 {row['rooms']} 户")
        rooms = "、".join((row["objects"] or [])[:5])
        money = "" if row["yearly_fen"] is None else f"，一年{'少' if less else '多'}收 {yuan(abs(row['yearly_fen']))}"
        evidence = [Evidence("收费标准", f"/fees/standards/{row['standard_id']}?at=p{row['project_id']}", row["standard"])]
        if row["approval_id"] is not None:
            evidence.append(Evidence("审批记录", f"/audit?object=approval:{row['approval_id']}", row["reason"] or ""))
        found.append(
            Finding(
                f"price:{row['id']}", row["company_id"], row["project_id"], f"standard:{row['standard_id']}", "收费价格异常",
                f"{row['standard']}：{row['before'] or '–'} → {row['after']}，{filed}{f'（{rooms}）' if rooms else ''}{money}。",
                row["at"],
                _people(row["by"], row["approved_by"]), row["terminal"] or "",
                None if row["yearly_fen"] is None else abs(row["yearly_fen"]), {"kind": row["kind"], "rooms": row["rooms"]},
                [Step(row["at"], f"{row['before'] or '–'} → {row['after']}", row["by"], True)], evidence,
            )
        )  # fmt: skip
    return found


async def fact_changed(look: Look) -> list[Finding]:
    """G-04: the area or the first day of a room that is charged already becomes smaller or later; with a year's money."""
    found = []
    for row in await store.facts(look.tx, look.since):
        if not _brings_less(row):
            continue
        name = _FACTS.get(row["fact"], row["fact"])
        money = "" if not row["yearly_fen"] else f"，一年少收 {yuan(-row['yearly_fen'])}"
        found.append(
            Finding(
                f"fact:{row['id']}", row["company_id"], row["project_id"], f"room:{row['room_id']}", "已计费房间改了计费依据",
                f"{row['object']} 的{name}：{row['before'] or '空'} → {row['after'] or '空'}{money}。", row["at"],
                _people(row["by"]),
                row["terminal"] or "", -row["yearly_fen"] if row["yearly_fen"] else None, {"fact": row["fact"]},
                [Step(row["at"], f"{name} {row['before'] or '空'} → {row['after'] or '空'}", row["by"] or "", True)],
                [Evidence("房产", f"/rooms/{row['room_id']}", row["object"]),
                 Evidence("操作日志", f"/audit?object=room:{row['room_id']}")],
            )
        )  # fmt: skip
    return found


def _brings_less(row: Mapping[str, Any]) -> bool:
    """By a year's money; where no price is in force yet, by a smaller figure or a later day."""
    if row["yearly_fen"]:
        return bool(row["yearly_fen"] < 0)
    if not row["before"] or not row["after"]:
        return True
    if row["fact"] == "charge_from":
        return bool(row["after"] > row["before"])
    return Decimal(row["after"]) < Decimal(row["before"])


async def area_total(look: Look) -> list[Finding]:
    """G-04, nightly: the rooms of a project add up to another area than its register has; a month's alarm each."""
    found = []
    for row in await store.areas(look.tx):
        percent = await look.limit("area_percent", row["company_id"])
        if abs(row["area"] - row["managed_area"]) * 100 <= row["managed_area"] * percent:
            continue
        word = "少" if row["area"] < row["managed_area"] else "多"
        off = abs(row["area"] - row["managed_area"])
        why = f"{row['rooms']} 户合计 {row['area']} ㎡，项目登记 {row['managed_area']} ㎡，{word} {off} ㎡。"
        found.append(
            Finding(
                f"area:{row['project_id']}:{business_date(look.now):%Y-%m}", row["company_id"], row["project_id"],
                f"project:{row['project_id']}", "面积合计与登记不符", why, look.now, (), "", None,
                {"area": str(row["area"]), "register": str(row["managed_area"])}, [Step(look.now, why, "", True)],
                [Evidence("房产", f"/owners?at=p{row['project_id']}", f"{row['rooms']} 户")],
            )
        )  # fmt: skip
    return found


async def tender_unmatched(look: Look) -> list[Finding]:
    """G-09, each morning: a transfer, cheque or card slip that no outside record knows after two working days, or as other."""
    found = []
    today = business_date(look.now)
    for row in await store.tenders(look.tx, business_date(look.now - _DAYS)):
        calendar = await look.calendar(row["company_id"])
        age = sum(calendar.works(row["day"] + timedelta(days=n)) for n in range(1, (today - row["day"]).days + 1))
        if row["state"] == "ours" and age <= await look.limit("tender_days", row["company_id"]):
            continue
        way = TENDERS.get(row["method"], row["method"])
        told = "银行或收单记录里没有" if row["state"] == "ours" else f"对方记的是 {yuan(row['theirs_fen'] or 0)}"
        found.append(
            Finding(
                f"{row['subject']}:{row['state']}", row["company_id"], row["project_id"], row["subject"], f"{way}没有对上",
                f"收据 {row['no']}（{row['object']}）{way} {yuan(row['ours_fen'])}，"
                f"凭证号 {row['reference'] or '没填'}，{age} 个工作日，{told}。",
                row["at"] or look.now, _people(row["cashier"]), "", abs(row["ours_fen"]),
                {"working_days": age, "state": row["state"]},
                [Step(row["at"] or look.now, f"收{way} {yuan(row['ours_fen'])}", row["cashier_name"] or ""),
                 Step(look.now, told, "", True)],
                [Evidence("收据", f"/receipts/{row['receipt_id']}", row["no"], row["ours_fen"])],
            )
        )  # fmt: skip
    return found


def _people(*numbers: str | None) -> tuple[str, ...]:
    """Work numbers; '0301 甄经理' is its first word, the system is nobody."""
    return tuple(dict.fromkeys(one.split(" ")[0] for one in numbers if one and one != "system"))
