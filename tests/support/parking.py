"""A site of four lanes at project 11, and events as its box reports them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cloud.fleet import service as fleet
from cloud.fleet.service import BoxEvent
from cloud.parking import service as parking
from cloud.shared.db import Tx
from protocols import tariff
from protocols.time import SHANGHAI, ClockQuality, iso
from protocols.uplink.events import Body, FeeDue, LaneNote, Passage, Payment, Stroke, kind_of
from protocols.wiring import CalendarDocument, LaneConfig, LanePins, OutagePolicy

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=SHANGHAI)
BOX, FAR_BOX = "fengqiao-01", "xiyu-01"
EPOCH, OTHER_EPOCH = "00000000000000aa", "00000000000000bb"
PLATE = "京A12345"
TARIFF = {
    "id": "casual-2026",
    "version": 1,
    "title": "地面临停",
    "free_once_per_day": False,
    "table": {
        "first_minutes": 60,
        "first_fen": 500,
        "step_minutes": 30,
        "step_fen": 200,
        "cap_day_fen": 3000,
        "first_block_each_day": True,
    },
}
CALENDAR = CalendarDocument(holidays=(), makeup_workdays=(), weekend_is_holiday_price=False)
RULES = tariff.parse_rules(TARIFF)
_numbers = itertools.count(1)


def lane(name: str = "fq-n-out", direction: str = "out", **more: Any) -> LaneConfig:
    facts: dict[str, Any] = {
        "lane": name,
        "name": "北门出口" if direction == "out" else "北门入口",
        "direction": direction,
        "zone": "main",
        "pins": LanePins(loop_a=2, loop_b=3, arm_up=4, arm_down=5, open=6, close=7),
        "tariff": "casual-2026",
        "policy": OutagePolicy(casual_exit="pay", unread_entry="admit", unread_exit="call"),
    }
    return LaneConfig(**(facts | more))


LANES = (lane("fq-n-in", "in"), lane("fq-n-out"), lane("fq-s-in", "in"), lane("fq-s-out"))


def site(**more: Any) -> parking.Site:
    rules = {"casual-2026": TARIFF}
    facts: dict[str, Any] = {"project_id": 11, "box": BOX, "lanes": LANES, "tariffs": rules, "calendar": CALENDAR}
    return parking.Site(**(facts | more))


async def set_up(tx: Tx, **more: Any) -> None:
    """Register the box and publish its site."""
    wanted = site(**more)
    await fleet.register(tx, wanted.box, wanted.project_id, "test", NOON)
    await parking.put_site(tx, wanted, "1003", NOON)


def event(body: Body, *, minutes: float = 0, seq: int | None = None, **more: Any) -> BoxEvent:
    """One event `minutes` after noon; the hub has it a second later."""
    kind, stream = kind_of(body)
    at = NOON + timedelta(minutes=minutes)
    facts: dict[str, Any] = {
        "box": BOX,
        "company_id": 1,
        "project_id": 11,
        "stream": stream,
        "epoch": EPOCH,
        "seq": seq or next(_numbers),
        "kind": kind,
        "body": body,
        "at": at,
        "clock": ClockQuality.SYNCED,
        "received_at": at + timedelta(seconds=1),
    }
    return BoxEvent(**(facts | more))


def came(stay: str = "s1", plate: str | None = PLATE, **more: Any) -> Passage:
    facts: dict[str, Any] = {"lane": "fq-n-in", "category": "casual"}
    return Passage(direction="in", stay=stay, plate=plate, **(facts | more))


def went(stay: str = "s1", plate: str | None = PLATE, **more: Any) -> Passage:
    facts: dict[str, Any] = {"lane": "fq-n-out", "category": "casual", "entered_at": iso(NOON), "tariff": RULES.reference}
    return Passage(direction="out", stay=stay, plate=plate, **(facts | more))


def priced(minutes: int, *, rules: tariff.TariffRules = RULES, **more: Any) -> tariff.Quote:
    """A stay from noon as a box prices it."""
    return tariff.quote(rules, tariff.Stay(NOON, NOON + timedelta(minutes=minutes), vehicle_class="small", **more))


def owes(minutes: int = 90, stay: str = "s1", *, quote: tariff.Quote | None = None, **more: Any) -> FeeDue:
    """A vehicle that came at noon waits at the exit."""
    found = quote or priced(minutes)
    facts: dict[str, Any] = {
        "lane": "fq-n-out",
        "plate": PLATE,
        "vehicle_class": "small",
        "entered_at": iso(NOON),
        "left_at": iso(NOON + timedelta(minutes=minutes)),
        "tariff": found.reference,
        "fee_fen": found.due_fen,
        "quote": found.to_json().decode(),
    }
    return FeeDue(stay=stay, **(facts | more))


def cash(fen: int = 700, stay: str = "s1", number: int = 1, **more: Any) -> Payment:
    facts: dict[str, Any] = {
        "payment": f"p{number}",
        "lane": "fq-n-out",
        "plate": PLATE,
        "operator": "3001",
        "book": "fq-01",
    }
    return Payment(stay=stay, amount_fen=fen, tender="cash", number=number, **(facts | more))


def stroke(n: int, reason: str = "paid", **more: Any) -> Stroke:
    return Stroke(n=n, reason=reason, **({"lane": "fq-n-out"} | more))  # type: ignore[arg-type]  # a test's shorthand


def noted(what: str, stay: str | None = "s1", **more: Any) -> LaneNote:
    return LaneNote(what=what, stay=stay, **({"lane": "fq-n-out"} | more))  # type: ignore[arg-type]  # a test's shorthand


async def stay_of(tx: Tx, stay: str = "s1") -> dict[str, Any]:
    row = await tx.fetch_one("SELECT * FROM report_stays WHERE stay = %s", (stay,))
    assert row is not None
    return row


def alarms(told: Sequence[str]) -> list[dict[str, Any]]:
    """The alarms among what a transaction has to tell."""
    found = [json.loads(text) for text in told]
    return [one for one in found if one["topic"] == "alarm"]
