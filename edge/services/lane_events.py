"""What a lane reports: machine's actions -> event bodies, and the line the guard reads for each."""

from __future__ import annotations

from edge.core.lane_types import Complete, Grant, Note, Verdict, Visit
from edge.core.stays import StayRecord
from protocols.money import yuan
from protocols.uplink.events import Body, FeeDue, LaneNote, Passage, Snapshot, Stroke

NOTE_NAMES = {
    "abandoned": "没有通过，开走了",
    "reversed": "倒车",
    "wrong_way": "逆行",
    "tailgate": "跟车通过",
    "obstruction": "杆下有车，重新抬起",
    "stuck_open": "杆落不下来",
    "stuck_closed": "杆抬不起来",
    "vehicle_under_arm": "杆下有车",
    "refused": "不放行",
    "unread": "看不到车牌",
    "call": "要人处理",
    "store_full": "存不下记录",
}
PICTURED = frozenset({"manual", "command", "free", "fault"})
REASON_NAMES = {
    "paid": "已付，放行",
    "pass": "通行证，放行",
    "free": "免费放行",
    "entry": "进场",
    "command": "总部抬杆",
    "manual": "人工抬杆",
    "fire": "消防联动",
    "fault": "应急抬杆",
    "none": "无指令抬杆",
}


def passage(
    done: Complete,
    lane: str,
    stay: StayRecord,
    verdict: Verdict | None,
    *,
    leaving: bool,
    paid_fen: int | None,
    snapshot: Snapshot | None = None,
) -> Passage:
    """The complete passage; `stay` is the record it opens or ends."""
    visit = done.visit
    owed = verdict is not None and verdict.due_fen > (paid_fen or 0)
    category = "escaped" if leaving and done.escaped and owed else verdict.category if verdict else stay.category
    return Passage(
        lane=lane,
        direction="out" if leaving else "in",
        stay=stay.id,
        plate=visit.plate,
        plate_read=visit.plate_read or visit.plate,
        plate_colour=visit.reading.colour if visit.plate is not None else None,
        confidence=visit.reading.confidence if visit.plate is not None else None,
        vehicle_class=stay.vehicle_class,
        category=category,
        entered_at=(verdict.entered_at if verdict is not None else None) if leaving else stay.entered_at,
        fee_fen=verdict.fee_fen if leaving and verdict is not None else None,
        paid_fen=paid_fen if leaving else None,
        tariff=verdict.tariff if leaving and verdict is not None else None,
        stroke=done.stroke,
        snapshot=snapshot,
    )


def fee_due(lane: str, visit: Visit, verdict: Verdict, stay: StayRecord) -> FeeDue:
    assert verdict.entered_at and verdict.left_at and verdict.tariff and verdict.quote
    return FeeDue(
        lane=lane,
        stay=stay.id,
        plate=stay.plate or visit.plate,
        vehicle_class=stay.vehicle_class,
        entered_at=verdict.entered_at,
        left_at=verdict.left_at,
        tariff=verdict.tariff,
        fee_fen=verdict.due_fen,
        quote=verdict.quote,
    )


def stroke(lane: str, n: int, grant: Grant | None, snapshot: Snapshot | None = None) -> Stroke:
    if grant is None:
        return Stroke(lane=lane, n=n, reason="none", snapshot=snapshot)
    return Stroke(
        lane=lane,
        n=n,
        reason=grant.reason,
        stay=grant.stay,
        by=grant.by,
        reference=grant.reference,
        detail=grant.detail,
        snapshot=snapshot,
    )


def stroke_is_pictured(grant: Grant | None) -> bool:
    """Raised by somebody's hand, by nobody, or for nothing (DESIGN 2.7)."""
    return grant is None or grant.reason in PICTURED


def passage_is_pictured(done: Complete) -> bool:
    """Free, let through by somebody, with a corrected plate, or escaped (DESIGN 2.7)."""
    visit = done.visit
    corrected = visit.corrected_by is not None or (visit.plate_read is not None and visit.plate_read != visit.plate)
    return done.escaped or corrected or (visit.grant is not None and visit.grant.reason in PICTURED)


def note(lane: str, said: Note, snapshot: Snapshot | None = None) -> LaneNote:
    visit = said.visit
    return LaneNote(
        lane=lane,
        what=said.what,
        stay=visit.stay if visit is not None else None,
        plate=visit.plate if visit is not None else None,
        detail=said.detail,
        snapshot=snapshot,
    )


def told(body: Body) -> tuple[str | None, str] | None:
    """(plate, sentence) for the guard's list of what just happened; None for what is no news to him."""
    if isinstance(body, Passage):
        if body.direction == "in":
            return body.plate, "进场"
        if body.category == "escaped":
            return body.plate, f"未付 {yuan(body.fee_fen or 0)}，离场"
        return body.plate, f"付 {yuan(body.paid_fen)}，离场" if body.paid_fen else "离场"
    if isinstance(body, Stroke):
        return (None, REASON_NAMES[body.reason]) if body.reason in ("manual", "command", "fire", "fault", "none") else None
    if isinstance(body, LaneNote):
        return body.plate, f"{NOTE_NAMES[body.what]}{f'：{body.detail}' if body.detail else ''}"
    if isinstance(body, FeeDue):
        return body.plate, f"应付 {yuan(body.fee_fen)}"
    return None
