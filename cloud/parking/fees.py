"""What a vehicle owes at an exit: stored, priced again by the hub, compared byte for byte (K-20, K-21)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from cloud.fleet.service import BoxEvent
from cloud.parking import store, store_stays
from cloud.parking.domain import Check, Stay, Terms, check_fee, total_of
from cloud.parking.lanes import alarm, bodies, check_lanes
from cloud.parking.sites import read_rules
from cloud.shared.db import Tx
from protocols import tariff
from protocols.errors import Refused
from protocols.time import iso, parse_instant
from protocols.uplink.events import FeeDue


async def on_fee_due(tx: Tx, events: Sequence[BoxEvent]) -> None:
    """Store what is due and hold the box's price against our own; a difference is an alarm, never a refusal.

    Refused `foreign_lane`, `bad_time`, `naive_time`.
    """
    dues = bodies(events, FeeDue)
    await check_lanes(tx, events, [due.lane for due in dues])
    checks: list[tuple[Check, int]] = []
    for event, due in zip(events, dues, strict=True):
        parse_instant(due.entered_at, field="entered_at"), parse_instant(due.left_at, field="left_at")
        checks.append((await _checked(tx, event, due), total_of(due)))
    stored = await store.add_fees(tx, events, checks)
    first = events[0]
    stubs = {due.stay: _stub(first.box, due) for due in dues}
    await store_stays.begin_unseen(tx, first.company_id, first.project_id, stubs.values())
    for event, due, (check, _) in zip(events, dues, checks, strict=True):
        if (event.epoch, event.seq) not in stored:
            continue
        facts = {"project_id": event.project_id, "lane": due.lane, "stay": due.stay, "plate": due.plate, "fee_fen": due.fee_fen}
        await tx.notify("passage", facts | {"direction": "out", "due": True, "at": iso(event.at)})
        if check.verdict != "same":
            more = {"verdict": check.verdict, "problem": check.problem, "box_fen": due.fee_fen, "hub_fen": check.due_fen}
            await alarm(tx, event, "quote_differs", lane=due.lane, stay=due.stay, tariff=due.tariff, **more)


def _stub(box: str, due: FeeDue) -> Stay:
    entered = parse_instant(due.entered_at, field="entered_at")
    return Stay(box, due.stay, due.plate, due.vehicle_class, "casual", entered_at=entered)


async def _checked(tx: Tx, event: BoxEvent, due: FeeDue) -> Check:
    known = await store.known_of(tx, event, due.tariff.rpartition("@")[0] or due.tariff, due.stay, due.plate)
    try:
        terms = Terms(
            versions=[read_rules(text) for text in known.rules],
            calendar=tariff.parse_calendar(json.loads(known.calendar)) if known.calendar is not None else None,
            passes=known.passes,
            paid=tuple(tariff.Prepaid(at, fen) for at, fen in known.paid),
        )
    except Refused as problem:
        return Check("unpriced", problem.code)
    return check_fee(due, terms, event.received_at)
