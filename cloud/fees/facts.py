"""Facts into lines: a reading, a turnover, a stop of heating, a shared cost are recorded and billed in runs (Q-12 .. Q-38)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cloud.estate import service as estate
from cloud.fees import store_facts, store_standards, store_yearly
from cloud.fees.calculator.apportion import shared_total
from cloud.fees.calculator.periods import Period, add_months, billing_day, due_day, inclusive
from cloud.fees.calculator.planning import Draft
from cloud.fees.calculator.pricing import season_at
from cloud.fees.calculator.rules import Apportioned, Percentage, Rules, Season, Tiered, TwoPartHeat, to_json
from cloud.fees.cases import Given
from cloud.fees.charging import BY_FACTS, Made, Split, charge, in_force, used_before
from cloud.fees.domain_standards import Assignment, Facts, NamedTerm, Version
from cloud.fees.fact_models import checked
from cloud.fees.store_billing import Row
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused
from protocols.money import round_fen

Failure = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Billed:
    """Rows to be stored, and what could not be calculated."""

    rows: list[Row]
    failures: list[Failure]


def by_facts(one: Given) -> bool:
    """Whether the lines of an assignment come from facts, not from time."""
    return bool(one.versions) and isinstance(one.versions[-1].rules, (*BY_FACTS, Percentage))


async def record(
    tx: Tx, project_id: int, assignment_id: int, *, day: date, facts: Mapping[str, Any], at: datetime, by: str
) -> int:
    """Keep what a line is calculated from, checked at once. The same again is one.

    NotFound `assignment_not_found`; Refused by `fact_models.checked`, `not_assigned`, `charged_already`; Conflict `facts_differ`,
    `later_reading`.
    """
    found = next(iter(await store_standards.assignments(tx, project_id, ids=[assignment_id])), None)
    if found is None:
        raise NotFound("assignment_not_found", "没有这条收费设置", f"no assignment {assignment_id}", field="assignment")
    await store_standards.lock_assignments(tx, project_id)
    if day < found.from_day or found.to_day is not None and day > found.to_day:
        raise Refused("not_assigned", f"{day} 不在这条收费设置的日期里", "the day is outside the assignment", field="day")
    rules = await _rules(tx, found, day)
    before = await store_facts.before(tx, assignment_id, day)
    kept = checked(to_json(rules)["method"], facts, day, before)
    if isinstance(rules, Season):
        await _season_open(tx, rules, found.id, day, kept)
    later = await store_facts.later(tx, assignment_id, day)
    if later is not None and not isinstance(rules, (Season, Apportioned)):
        raise Conflict("later_reading", f"{later} 的数据已经录过，不能再往前插", "later facts are there", field="day")
    made, stored = await store_standards.add_facts(tx, assignment_id, day, kept, at, by)
    if dict(stored) != kept:
        raise Conflict("facts_differ", f"{day} 的数据已经录过，内容不同", f"facts of {day} are there already", field="facts")
    if before is not None and before[1].get("multiplier") not in (None, kept.get("multiplier")):
        await _other_multiplier(tx, found, day, (str(before[1]["multiplier"]), str(kept.get("multiplier", "1"))), at, by)
    return made


async def _other_multiplier(tx: Tx, one: Assignment, day: date, multiplier: tuple[str, str], at: datetime, by: str) -> None:
    """Headquarters sees it at once, with what the last year's readings would come to by it (G-04)."""
    old, new = (Decimal(text) for text in multiplier)
    billed = await store_yearly.billed(tx, [one.id], day)
    more = round_fen(billed * (Fraction(new) / Fraction(old) - 1)) if old else None
    told = f"倍率 {multiplier[0]}", f"倍率 {multiplier[1]}"
    change = store_yearly.Change(
        "multiplier", one.standard_id, None, [one.object], *told, None, more, f"{day} 的读数", by, "", "", None, at
    )
    await store_yearly.add(tx, change)


async def _rules(tx: Tx, assignment: Assignment, day: date) -> Rules:
    known = [
        one
        for one in await store_standards.versions(tx, assignment.project_id, published=True)
        if one.standard_id == assignment.standard_id
    ]
    return in_force(known, day).rules


async def _season_open(tx: Tx, rules: Season, assignment_id: int, day: date, kept: Mapping[str, Any]) -> None:
    season = season_at(rules, day)
    if not season.start <= day < season.to:
        zh = f"日期写在采暖季里，例如第一天 {season.start}"
        raise Refused("outside_season", zh, "the day is in no season", field="day")
    lines = (await store_facts.charged(tx, [assignment_id])).get(assignment_id, [])
    billed = any(start < season.to and season.start < to for start, to in lines)
    if billed and not (kept.get("first") or kept.get("last")):
        raise Refused("charged_already", "本季已经出账；停暖请在那一笔申请调整", "the season is billed already", field="day")


async def bill(tx: Tx, found: Sequence[tuple[Assignment, Given]], through: date) -> Billed:
    """The lines of facts recorded through a day that are not charged yet. A meter without a reading that is due is a failure."""
    wanted = [(one, given) for one, given in found if by_facts(given) or _has_season(given)]
    answer = Billed([], [])
    if not wanted:
        return answer
    ids = [one.id for one, _ in wanted]
    facts, charged = await store_standards.facts_of(tx, ids), await store_facts.charged(tx, ids)
    for assignment, given in wanted:
        if isinstance(given.versions[-1].rules, Percentage):
            continue
        known, lines = facts.get(assignment.id, []), charged.get(assignment.id, [])
        try:
            answer.rows.extend(await _rows(tx, assignment, given, known, lines, through))
            _none_missing(assignment, given, known, through)
        except Refused as problem:
            answer.failures.append({"row": f"{assignment.object} {assignment.item}", "message": problem.zh})
    return answer


def _has_season(given: Given) -> bool:
    return any(isinstance(one.rules, Season) for one in given.versions)


def _none_missing(assignment: Assignment, given: Given, known: Sequence[Facts], through: date) -> None:
    """Nothing silently becomes 0: a period that is over needs its facts (F-06)."""
    term = given.terms[-1][1].term
    if _has_season(given) or term.cycle != "month" or term.every is None:
        return
    last = max((one.day for one in known), default=assignment.from_day)
    if add_months(last, term.every) <= through and (given.case.ends is None or last < given.case.ends):
        raise Refused("missing_fact", f"{last} 以后没有录数据", f"no facts after {last}", field="facts")


async def _rows(
    tx: Tx, assignment: Assignment, given: Given, known: Sequence[Facts], lines: Sequence[tuple[date, date]], through: date
) -> list[Row]:
    found: list[Row] = []
    for one in known:
        season = _has_season(given)
        if not season and one.day > through:
            continue
        inputs = _inputs(assignment, given, one, known)
        for made in charge(inputs, given.versions, await split_of(tx, one.facts)):
            covered = any(made.start < to and start < made.to for start, to in lines)
            early = billing_day(_term(given, made.start).term, Period(made.start, made.to)) > through
            if not covered and not (season and early):
                found.append(_row(assignment, given, inputs, made))
    return [row for row in found if row.amount_fen]


def _inputs(assignment: Assignment, given: Given, one: Facts, known: Sequence[Facts]) -> dict[str, Any]:
    version = in_force(sorted(given.versions, key=lambda each: each.effective_from), one.day)
    room, rules = given.facts[-1][1], version.rules
    inputs: dict[str, Any] = {
        "by": "facts", "item": assignment.item, "object": assignment.object, "day": one.day.isoformat(), "facts": dict(one.facts),
        "versions": [each.id for each in given.versions], "term": _term(given, one.day).id,
        "begins": assignment.from_day.isoformat(),
    }  # fmt: skip
    if given.case.factor is not None:
        inputs["factor"] = str(given.case.factor)
    if isinstance(rules, (TwoPartHeat, Season)) and rules.area_kind in room.areas:
        inputs["area"] = str(room.areas[rules.area_kind])
    if isinstance(rules, Tiered):
        if room.headcount is not None:
            inputs["headcount"] = room.headcount
        if rules.tier_period == "year":
            earlier = [(each.day, each.facts) for each in known]
            own = Fraction(one.facts.get("used_before", "0"))
            inputs["used_before"] = str(used_before(rules, one.day, earlier) + own)
    return inputs


def _term(given: Given, day: date) -> NamedTerm:
    return next((term for since, term in reversed(given.terms) if since <= day), given.terms[0][1])


def _row(assignment: Assignment, given: Given, inputs: Mapping[str, Any], made: Made) -> Row:
    term = _term(given, made.start)
    payer = next((one for since, one in reversed(given.case.payers) if since <= made.start), None)
    quantity = made.line.quantity
    late = None if term.term.late is None else term.term.late.model_dump_json(exclude_none=True)
    return Row(
        assignment.id, made.version.id, assignment.item, assignment.room_id, assignment.object, payer, made.start, made.to,
        made.line.formula, made.line.steps, json.dumps(dict(inputs), ensure_ascii=False), made.line.fen,
        due_day(term.term, Period(made.start, made.to)), late,
        None if quantity is None else Decimal(quantity.numerator) / quantity.denominator, made.line.unit_price,
    )  # fmt: skip


async def split_of(tx: Tx, facts: Mapping[str, Any]) -> Split | None:
    if facts.get("share") is None:
        return None
    row = await store_facts.share(tx, int(facts["share"]))
    if row is None:
        return None
    weights = {name: Decimal(text) for name, text in row["weights"].items()}
    return Split(row["total_fen"], weights, Period(row["from_day"], row["to_day"]), tuple(row["steps"]))


async def percentages(tx: Tx, project_id: int, batch: int, found: Sequence[tuple[Assignment, Given]]) -> Billed:
    """Lines of items that are a part of another's, one a base line of the same object and period: of what that asks for together
    with its adjustments, before any discount (Q-16)."""
    answer = Billed([], [])
    charged = await store_facts.charged(tx, [one.id for one, _ in found])
    for assignment, given in found:
        rules = given.versions[-1].rules
        assert isinstance(rules, Percentage)
        for base in await store_facts.base_lines(tx, project_id, rules.of_item, [assignment.object], batch):
            start, to = base["period_from"], base["period_to"]
            outside = start < assignment.from_day or given.case.ends is not None and start >= given.case.ends
            if outside or any(start < end and first < to for first, end in charged.get(assignment.id, [])):
                continue
            name = base["item_name"] + ("（调整后）" if base["adjusted_fen"] != base["amount_fen"] else "")
            inputs = {
                "by": "facts", "item": assignment.item, "object": assignment.object, "day": start.isoformat(), "facts": {},
                "versions": [one.id for one in given.versions], "term": _term(given, start).id,
                "begins": assignment.from_day.isoformat(), "base": base["id"], "base_fen": base["adjusted_fen"],
                "base_name": name, "period": [start.isoformat(), to.isoformat()],
            }  # fmt: skip
            try:
                answer.rows.extend(_row(assignment, given, inputs, made) for made in charge(inputs, given.versions))
            except Refused as problem:
                answer.failures.append({"row": f"{assignment.object} {assignment.item}", "message": problem.zh})
    return answer


async def spread(
    tx: Tx,
    project_id: int,
    standard_id: int,
    *,
    first: date,
    last: date,
    total_fen: int | None,
    master: Decimal | None,
    subs: Sequence[Decimal],
    usages: Mapping[str, Decimal],
    key: str,
    at: datetime,
    by: str,
) -> tuple[int, int]:
    """Spread a shared cost over everything the standard charges in these days (公摊): (the act, how many objects).

    The same key again is the first. Refused `not_shared`, `missing_price`, `missing_fact` naming the object, SHARE_NEGATIVE,
    NO_WEIGHT.
    """
    period = inclusive(first, last)
    assigned = [
        one
        for one in await store_standards.assignments(tx, project_id)
        if one.standard_id == standard_id and one.from_day < period.to and (one.to_day is None or one.to_day > period.start)
    ]
    if not assigned:
        raise Refused("no_object", "这个标准还没有分配给任何房间", "the standard charges nothing in these days", field="first")
    rules = await _rules(tx, assigned[0], last)
    if not isinstance(rules, Apportioned):
        raise Refused("not_shared", "这个标准不是公摊", "the standard is not apportioned", field="standard")
    steps: tuple[str, ...] = ()
    if rules.total == "master_less_subs":
        if master is None or rules.price is None:
            raise Refused("missing_fact", "写总表用量", "the master's usage is needed", field="master")
        line = shared_total(master, subs, rules.price)
        total_fen, steps = line.fen, line.steps
    if total_fen is None or total_fen <= 0:
        raise Refused("missing_fact", "写要分摊的总金额", "the total is needed", field="total")
    weights = await _weights(tx, project_id, rules, assigned, period, usages)
    if not any(weights.values()):
        raise Refused("NO_WEIGHT", "分摊权重全是 0，没法分", "all weights are zero", field="weights")
    share, new = await store_facts.add_share(tx, standard_id, period.start, period.to, total_fen, weights, steps, key, at, by)
    if new:
        for one in assigned:
            day = max(one.from_day, period.start)
            await record(tx, project_id, one.id, day=day, facts={"share": share}, at=at, by=by)
    return share, len(assigned)


async def _weights(
    tx: Tx, project_id: int, rules: Apportioned, assigned: Sequence[Assignment], period: Period, usages: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    ids = [one.room_id for one in assigned if one.room_id is not None]
    rooms = {one.id: one for one in await estate.room_records(tx, project_id, ids)}
    return {one.object: _weight(rules, one, rooms.get(one.room_id or 0), period, usages) for one in assigned}


def _weight(
    rules: Apportioned, one: Assignment, room: estate.RoomRecord | None, period: Period, usages: Mapping[str, Decimal]
) -> Decimal:
    if rules.weight == "unit":
        return Decimal(1)
    if rules.weight == "usage":
        if one.object not in usages:
            raise Refused("missing_fact", f"{one.object} 没有用量", f"no usage of {one.object}", field="usages")
        return usages[one.object]
    areas = {} if room is None else {
        "gross": room.values.area, "inner": room.values.inside_area, "used": room.values.apportion_area,
    }  # fmt: skip
    area = areas.get(rules.area_kind or "")
    if area is None or room is None:
        raise Refused("missing_fact", f"{one.object} 没有填面积", f"no area of {one.object}", field="area")
    if rules.weight == "floor_area":
        return area * room.values.floor_factor
    if rules.weight == "occupied_area":
        return area * Period(one.from_day, one.to_day or date.max).within(period).days
    return area


async def explain(
    tx: Tx, kept: Mapping[str, Any], versions: Mapping[int, Version], terms: Mapping[int, NamedTerm]
) -> Draft | None:
    """A line from facts calculated anew from its inputs; None when they do not give its period."""
    inputs = kept["inputs"]
    known = [versions[one] for one in inputs["versions"]]
    period = Period(kept["period_from"], kept["period_to"])
    term = terms[inputs["term"]].term
    for made in charge(inputs, known, await split_of(tx, inputs["facts"])):
        if (made.start, made.to) == period:
            due = due_day(term, period)
            number = f"{made.version.number}"
            return Draft(inputs["item"], inputs["object"], None, made.start, made.to, due, number, made.line)
    return None
