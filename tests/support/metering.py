"""A plan of meters at project 11, and rounds as its box reports them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from cloud.fleet import service as fleet
from cloud.fleet.service import BoxEvent
from cloud.metering import service as metering
from cloud.shared.db import Tx
from protocols.time import iso
from protocols.uplink.events import Reading, Readings
from protocols.wiring import BusConfig, MeterPoint
from tests.support.parking import BOX, NOON, event

REGISTERS = [
    {
        "table": "holding",
        "address": 0,
        "type": "uint32",
        "order": "ABCD",
        "scale": "0.01",
        "quantity": "energy",
        "unit": "kWh",
    }
]


def number(n: int) -> str:
    return f"fq-e{n:03d}"


def meter(n: int, **more: Any) -> metering.Meter:
    facts: dict[str, Any] = {"number": number(n), "kind": "electric", "name": f"{n} 号电表"}
    return metering.Meter(**(facts | more))


def bus(meters: int = 3, name: str = "fq-modbus") -> BusConfig:
    points = [
        MeterPoint(meter=number(n), protocol="modbus", address=str(n), registers=list(REGISTERS)) for n in range(1, meters + 1)
    ]
    return BusConfig(bus=name, transport="tcp", address="127.0.0.1:502", every_s=5, meters=tuple(points))


async def set_up(tx: Tx, meters: int = 3, *, box: str = BOX, project: int = 11) -> None:
    """Register the box and publish its plan."""
    await fleet.register(tx, box, project, "test", NOON)
    await metering.put_plan(tx, project, box, [meter(n) for n in range(1, meters + 1)], [bus(meters)], "1003", NOON)


def read(n: int = 1, value: str = "1.50", at: datetime = NOON, **more: Any) -> Reading:
    facts: dict[str, Any] = {"meter": number(n), "quantity": "energy", "unit": "kWh"}
    return Reading(value=value, at=iso(at), **(facts | more))


def round_of(
    *items: Reading, minutes: float = 0, missing: list[str] | None = None, name: str = "fq-modbus", **more: Any
) -> BoxEvent:
    at = NOON + timedelta(minutes=minutes)
    body = Readings(bus=name, round=at.isoformat(), items=list(items), missing=missing or [])
    return event(body, minutes=minutes, **more)
