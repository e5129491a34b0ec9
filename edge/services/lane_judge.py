"""May the vehicle at this lane pass, and what does it owe? Lists, stays, tariffs -> a verdict (K-03, K-20 ... K-33)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from edge.core.lane_types import Candidate, Grant, Verdict, Visit
from edge.core.stays import Moment, Price, StayRecord, instant, price
from edge.services.lane_lists import Lists
from edge.services.lane_stays import Stays
from protocols.admission import Decision, decide
from protocols.errors import Refused
from protocols.time import iso, parse_instant
from protocols.wiring import LaneConfig

SURE = 60
"""Below this confidence a plate opens no exit by itself (L-08)."""
CATEGORY_NAMES = {
    "special": "特种车辆",
    "free": "免费车",
    "vip": "贵宾车",
    "staff": "员工车",
    "monthly": "月租车",
    "visitor": "访客车",
    "casual": "临停车",
}


@dataclass(frozen=True, slots=True)
class Judge:
    """`online`: is the hub there? Only for lanes whose policy lets casual vehicles out without it (L-31)."""

    lists: Lists
    stays: Stays
    now: Callable[[], Moment]
    new_id: Callable[[], str]
    online: Callable[[], bool]

    def judge(self, visit: Visit, lane: LaneConfig, *, fire: bool) -> Verdict:
        """The verdict; where a person's word on the plate opens the arm, the stroke says whose (K-34)."""
        verdict = self._judged(visit, lane, fire=fire)
        if visit.corrected_by is None or verdict.grant is None or verdict.grant.reason == "fire":
            return verdict
        detail = f"改牌 {visit.plate_read or '没读到'} → {visit.plate}"
        return replace(verdict, grant=replace(verdict.grant, by=visit.corrected_by, detail=detail))

    def _judged(self, visit: Visit, lane: LaneConfig, *, fire: bool) -> Verdict:
        if lane.direction == "in":
            return self._entry(visit, lane)
        verdict = self._exit(visit, lane)
        if fire and verdict.kind != "allowed":
            grant = Grant("fire", verdict.stay)
            return replace(verdict, kind="allowed", grant=grant)
        return verdict

    def _entry(self, visit: Visit, lane: LaneConfig) -> Verdict:
        now = self.now().wall.at
        decision = self._decide(visit.plate, now)
        if decision.refused:
            return Verdict("hold", decision.category, why="黑名单车辆，不放行", note="refused")
        if visit.plate is None and lane.policy.unread_entry == "call":
            return Verdict("hold", decision.category, why="看不到车牌", note="unread")
        stay = self.new_id()
        note: Literal["unread"] | None = "unread" if visit.plate is None else None
        grant = Grant(decision.strike, stay)
        why = CATEGORY_NAMES.get(decision.rule, "无牌车")
        return Verdict("allowed", decision.category, grant, stay, entered_at=iso(now), why=why, note=note)

    def _exit(self, visit: Visit, lane: LaneConfig) -> Verdict:
        if visit.plate is None:
            return self._unread(lane)
        stay = self.stays.inside(visit.plate)
        if stay is None:
            return self._no_entry(visit, visit.plate, lane)
        if visit.reading.confidence < SURE and visit.plate_read is None:
            return self._doubt(visit, visit.plate, lane, f"车牌看得不清（{visit.reading.confidence}%）")
        return self.leaving(stay, lane)

    def leaving(self, stay: StayRecord, lane: LaneConfig) -> Verdict:
        """The verdict on a stay that is known."""
        now = self.now()
        left, _ = instant(stay, now)
        decision = self._decide(stay.plate, left)
        if decision.free and (decision.rule == "special" or self._covered(stay, left)):
            grant = Grant(decision.strike, stay.id)
            why = CATEGORY_NAMES[decision.rule]
            return Verdict("allowed", decision.category, grant, stay.id, stay.entered_at, iso(left), 0, why=why)
        try:
            found = self._price(stay, lane, now)
        except Refused as refused:
            why = f"算不出费用：{refused.zh}"
            return Verdict("hold", stay.category, stay=stay.id, entered_at=stay.entered_at, why=why, note="call")
        return self._priced(stay, lane, found)

    def _priced(self, stay: StayRecord, lane: LaneConfig, found: Price) -> Verdict:
        quote = found.quote
        base = Verdict(
            "owes",
            "casual",
            stay=stay.id,
            entered_at=stay.entered_at,
            left_at=iso(quote.exit),
            fee_fen=quote.fee_fen,
            due_fen=found.due_fen,
            tariff=quote.reference,
            quote=quote.to_json().decode(),
            lines=quote.lines,
        )
        if not found.due_fen:
            grant = Grant("paid" if stay.paid else "free", stay.id, reference=stay.paid[-1].reference if stay.paid else None)
            return replace(base, kind="allowed", grant=grant, why="已付清" if stay.paid else "免费时间内")
        if lane.policy.casual_exit == "note_and_release" and not self.online():
            return replace(base, kind="allowed", grant=Grant("free", stay.id, detail="note_and_release"), why="断网记账放行")
        return base

    def _price(self, stay: StayRecord, lane: LaneConfig, now: Moment) -> Price:
        entered = parse_instant(stay.entered_at)
        left, _ = instant(stay, now)
        passes = self.lists.pass_days(stay.plate, entered, left)
        return price(stay, now, self.lists.rules(lane.tariff, entered), self.lists.calendar, passes)

    def _decide(self, plate: str | None, at: datetime) -> Decision:
        return decide(plate, at, self.lists.passes(plate) if plate is not None else ())

    def _covered(self, stay: StayRecord, left: datetime) -> bool:
        """Is there a pass for the whole stay, or did the vehicle come in by one that still holds?"""
        entered = parse_instant(stay.entered_at)
        return any(
            entry.category != "blacklist" and parse_instant(entry.start) <= entered and left <= parse_instant(entry.last)
            for entry in self.lists.passes(stay.plate or "")
        )

    def _unread(self, lane: LaneConfig) -> Verdict:
        if lane.policy.unread_exit == "free":
            return Verdict("allowed", "casual", Grant("free", detail="unread"), why="看不到车牌，按规定放行", note="unread")
        return Verdict("hold", "casual", why="看不到车牌", note="unread")

    def _no_entry(self, visit: Visit, plate: str, lane: LaneConfig) -> Verdict:
        """K-31: a pass may go; of vehicles that look alike a person picks one; never free in silence."""
        decision = self._decide(plate, self.now().wall.at)
        if decision.free:
            return Verdict("allowed", decision.category, Grant(decision.strike), why=CATEGORY_NAMES[decision.rule])
        return self._doubt(visit, plate, lane, "没有入场记录")

    def _doubt(self, visit: Visit, plate: str, lane: LaneConfig, why: str) -> Verdict:
        found = [stay for stay in (self.stays.inside(plate),) if stay is not None]
        found += sorted(self.stays.alike(plate, visit.reading.colour), key=lambda stay: stay.entered_at, reverse=True)[:4]
        candidates = tuple(self._candidate(stay, lane) for stay in found)
        if candidates:
            why = f"{why}，场内有 {len(candidates)} 辆相近的车"
        return Verdict("hold", "casual", why=why, note="call", candidates=candidates)

    def _candidate(self, stay: StayRecord, lane: LaneConfig) -> Candidate:
        verdict = self.leaving(stay, lane)
        fee = None if verdict.kind == "hold" else verdict.due_fen
        return Candidate(stay.id, stay.plate or "", stay.entered_at, fee)
