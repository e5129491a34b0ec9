"""试算: what a room would be billed by rules that nobody stored (promise 0.4, F-07)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from cloud.estate import service as estate
from cloud.fees import cases
from cloud.fees.calculator.discounts import Offer, Prepaid, prepay
from cloud.fees.calculator.planning import Draft
from cloud.fees.calculator.rules import Recurring, Rules, to_json
from cloud.fees.choices import METHODS
from cloud.fees.domain_standards import Assignment, NamedTerm, Version
from cloud.shared.db import Tx
from protocols.errors import Refused
from protocols.time import SHANGHAI

_BILLS = 3
_DAYS = 3 * 366 + 120
_LONG = 11 * 366


@dataclass(frozen=True, slots=True)
class Tried:
    """The first bills of a room, or why there are none; `ahead`: what each offer makes of the periods it wants (Q-45)."""

    room: str = ""
    facts: str = ""
    drafts: tuple[Draft, ...] = ()
    problem: str = ""
    ahead: tuple[Prepaid, ...] = ()


async def try_rules(tx: Tx, project_id: int, rules: Rules, term: NamedTerm, start: date, typed: Mapping[str, str]) -> Tried:
    """The first three bills of the room named in the form, from the day the price begins."""
    code = typed.get("room", "").strip()
    rooms = await estate.rooms_of(tx, project_id)
    room = rooms.get(code)
    if room is None:
        return Tried(problem=f"本项目没有房间 {code}，换一个试" if code else "写一个房号来试算")
    record = next(iter(await estate.room_records(tx, project_id, [room.id])))
    method = METHODS[str(to_json(rules)["method"])]
    facts = " · ".join(
        [f"建筑面积 {record.values.area} ㎡"] * (record.values.area is not None) + [estate.USES[record.values.use]]
    )
    if method.by_facts:
        return Tried(code, facts, problem=f"“{method.name}”要有读数、营业额或总额才出账；分配给房间以后，在那里录数据、试算")
    options: dict[str, Any] = {"quantity": "1"}
    assignment = Assignment(0, project_id, "", 0, None, room.id, None, code, start, None, None, options)
    version = Version(0, project_id, 0, 1, start, rules, term, "draft", "", datetime.combine(start, time.min, SHANGHAI), "")
    payers = await estate.payer_history(tx, [room.id])
    case = cases.given(assignment, [version], term, room=record, statuses=[], payers=payers, charged_to=None)
    try:
        drafts = case.drafts(start + timedelta(days=_DAYS))
    except Refused as problem:
        return Tried(code, facts, problem=problem.zh)
    none = "" if drafts else "三年内没有一期账单，检查缴费期限"
    return Tried(code, facts, tuple(drafts[:_BILLS]), none, _offers(case, rules, start))


def _offers(case: cases.Given, rules: Rules, start: date) -> tuple[Prepaid, ...]:
    offers = rules.offers if isinstance(rules, Recurring) else ()
    if not offers:
        return ()
    most = max(one.min_periods for one in offers)
    lines = [one.fen for one in case.drafts(start + timedelta(days=_LONG)) if one.fen][:most]
    known = tuple(Offer(one.min_periods, one.percent_off, one.free_last) for one in offers)
    return tuple(
        prepay(lines[: one.min_periods], known)
        for one in sorted(known, key=lambda one: one.min_periods)
        if len(lines) >= one.min_periods
    )
