"""A box's metering against simulated lines: the plan as a document, rounds as they reach the journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from edge.services.meters import Meters
from protocols.uplink.documents import DocumentName
from protocols.uplink.envelope import compact
from protocols.uplink.events import Device, Reading, Readings
from protocols.wiring import BusConfig, MeterPoint
from sim.meters.modbus_tcp import REGISTERS
from sim.meters.register import Meter
from tests.support.edge import until
from tests.support.lanes import LoopClock, MemoryJournal

TIMEOUT_MS = 150
LATE_S = 0.25


@dataclass
class Plan:
    """Implements `edge.ports.Documents` for the meter plan; `set` switches it."""

    body: bytes | None = None
    _listeners: list[Callable[[frozenset[DocumentName]], None]] = field(default_factory=list)

    def current(self, name: DocumentName) -> bytes | None:
        return self.body if name == "meters" else None

    def on_change(self, callback: Callable[[frozenset[DocumentName]], None]) -> None:
        self._listeners.append(callback)

    def set(self, *buses: BusConfig) -> None:
        self.body = compact({"buses": [bus.model_dump(mode="json") for bus in buses]})
        for listener in self._listeners:
            listener(frozenset({"meters"}))


def energy_meters(count: int, *, dlt645: bool = False, **more: Any) -> list[Meter]:
    """Meters 'M001'.. with unit ids or twelve-digit addresses."""
    address = (lambda n: f"2023080{n:05d}") if dlt645 else str
    return [Meter(f"M{n:03d}", address(n), seed=7, late_s=LATE_S, **more) for n in range(1, count + 1)]


def modbus_bus(address: str, meters: Iterable[Meter], **more: Any) -> BusConfig:
    return _bus(address, meters, "modbus", REGISTERS[:1], more)


def dlt645_bus(address: str, meters: Iterable[Meter], items: tuple[str, ...] = ("00010000",), **more: Any) -> BusConfig:
    edition = "dlt645-2007" if len(items[0]) == 8 else "dlt645-1997"
    return _bus(address, meters, edition, list(items), more)


def _bus(address: str, meters: Iterable[Meter], protocol: Any, registers: list[Any], more: dict[str, Any]) -> BusConfig:
    step = more.pop("max_step", None)
    known: dict[str, Any] = {
        "bus": "B1",
        "transport": "serial" if address.startswith("/dev") else "tcp",
        "every_s": 0.1,
        "timeout_ms": TIMEOUT_MS,
        "quiet_ms": 30,
        "baud": 9600,
    }
    points = tuple(
        MeterPoint(meter=one.number, protocol=protocol, address=one.address, registers=registers, max_step=step) for one in meters
    )
    return BusConfig(address=address, meters=points, **(known | more))


@dataclass
class Site:
    """What reached the journal, and the service that put it there."""

    meters: Meters
    plan: Plan
    journal: MemoryJournal
    clock: LoopClock

    @property
    def rounds(self) -> list[Readings]:
        return [body for body in self.journal.bodies if isinstance(body, Readings)]

    @property
    def devices(self) -> list[Device]:
        return [body for body in self.journal.bodies if isinstance(body, Device)]

    def readings(self, meter: str, quantity: str | None = None) -> list[Reading]:
        found = [item for one in self.rounds for item in one.items if item.meter == meter]
        return [item for item in found if quantity is None or item.quantity == quantity]

    async def round_after(self, seconds: float = 10) -> Readings:
        """The first round that begins after now. The one under way, and one already on its way to the journal, do not count."""
        seen = {one.round for one in self.rounds}
        begun = self.clock.wall().at.isoformat(timespec="milliseconds")
        found = lambda: [one for one in self.rounds if one.round not in seen and one.round > begun]  # noqa: E731
        await until(found, seconds, "another round")
        return found()[0]


@asynccontextmanager
async def reading(*buses: BusConfig, journal: MemoryJournal | None = None, clock: LoopClock | None = None) -> AsyncIterator[Site]:
    """The service at work on a plan."""
    site_clock, plan, kept = clock or LoopClock(), Plan(), journal or MemoryJournal(delay_s=0.001)
    plan.set(*buses)
    site = Site(Meters(kept, plan, site_clock), plan, kept, site_clock)
    task = asyncio.create_task(site.meters.run())
    try:
        yield site
    finally:
        task.cancel()
        await asyncio.wait([task])


def hundredths(reading: Reading) -> int:
    return int(Decimal(reading.value).scaleb(2))


def check_truth(site: Site, meters: Iterable[Meter]) -> None:
    """Every stored total is one that this very meter gave, in the order given, none twice."""
    for meter in meters:
        stored = [hundredths(one) for one in site.readings(meter.number) if one.unit == "kWh" and not one.tariff]
        stored = [value for value in stored if value]
        given = iter(meter.given)
        assert all(value in given for value in stored), f"{meter.number}: {stored} are not among {meter.given}"
