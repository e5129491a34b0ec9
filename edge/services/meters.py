"""Reads the meters: one supervised task a bus, one `Readings` event a bus and round (DESIGN 2.2, E-01..E-04)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import structlog
from pydantic import ValidationError

from edge.core.meter_judge import Judge, dump, dump_days, load, load_days
from edge.core.meter_plan import BusPlan, Cadence, plan_bus
from edge.core.meter_types import MeterBus
from edge.drivers.bus import open_bus
from edge.ports import Clock, Documents, Journal
from edge.services.meter_outbox import MeterOutbox
from edge.services.meter_round import MeterState, Round, RoundResult
from edge.services.supervise import Supervisor
from protocols.uplink.documents import DocumentName
from protocols.uplink.events import Device, Readings
from protocols.wiring import BusConfig, MetersDocument

log = structlog.get_logger(__name__)

KEEP_EVERY_MS = 15 * 60_000
"""How often the last values go to the disk: a restart then knows what a meter showed, and the card is spared (B-09)."""


class Meters:
    """The metering service of a box. `run` follows the meter plan until it is cancelled."""

    def __init__(
        self, journal: Journal, documents: Documents, clock: Clock, *, open_bus: Callable[[BusConfig], MeterBus] = open_bus
    ) -> None:
        self._journal = journal
        self._documents = documents
        self._clock = clock
        self._open_bus = open_bus
        self._outbox = MeterOutbox(journal)
        self._runners: dict[str, tuple[BusRunner, Supervisor]] = {}
        self._changed = asyncio.Event()
        documents.on_change(self._on_change)

    def _on_change(self, names: frozenset[DocumentName]) -> None:
        if "meters" in names:
            self._changed.set()

    async def run(self) -> None:
        writing = Supervisor()
        writing.start("meter-outbox", self._outbox.run)
        try:
            while True:
                self._changed.clear()
                await self._follow()
                await self._changed.wait()
        finally:
            for bus in list(self._runners):
                await self._stop(bus)
            await writing.stop()

    async def _follow(self) -> None:
        """Start, stop and replace buses by the plan in force; one that did not change is not disturbed."""
        wanted = self._plan()
        if wanted is None:
            return
        for bus, (runner, _) in list(self._runners.items()):
            if wanted.get(bus) != runner.config:
                await self._stop(bus)
        for bus, config in wanted.items():
            if bus not in self._runners:
                runner = BusRunner(plan_bus(config), self._open_bus, self._journal, self._outbox, self._clock)
                supervisor = Supervisor()
                supervisor.start(f"meters {bus}", runner.run)
                self._runners[bus] = (runner, supervisor)

    def _plan(self) -> dict[str, BusConfig] | None:
        """The buses of the document; None, and the old plan goes on, when it cannot be read."""
        body = self._documents.current("meters")
        if body is None:
            return {}
        try:
            return {config.bus: config for config in MetersDocument.model_validate_json(body).buses}
        except ValidationError as problem:
            log.error("meter_plan_unreadable", problem=str(problem))
            self._outbox.put(Device(device="meter plan", state="fault", detail=problem.errors()[0]["msg"]))
            return None

    async def _stop(self, bus: str) -> None:
        _, supervisor = self._runners.pop(bus)
        await supervisor.stop()

    def health(self) -> dict[str, Any]:
        """For the heartbeat: each bus with its last round, who is silent, and what waits for the store."""
        buses = {bus: runner.health() for bus, (runner, _) in self._runners.items()}
        return {"buses": buses, "waiting": self._outbox.waiting, "lost_rounds": self._outbox.lost_rounds}


class BusRunner:
    """One bus: rounds on a grid, never two at once, until it is cancelled."""

    def __init__(
        self, plan: BusPlan, open_bus: Callable[[BusConfig], MeterBus], journal: Journal, outbox: MeterOutbox, clock: Clock
    ) -> None:
        self.config = plan.config
        self._plan = plan
        self._open_bus = open_bus
        self._outbox = outbox
        self._clock = clock
        self._states = [MeterState(target, Judge(target.max_step)) for target in plan.targets]
        self._number = 0
        self._kept_at: int | None = None
        self._away: str | None = None
        self._last: RoundResult | None = None
        self._counts: dict[str, int] = {}
        self._restore(journal)

    async def run(self) -> None:
        self._report_plan()
        bus = self._open_bus(self.config)
        cadence = Cadence.of(self.config.every_s, self._clock.mono_ms(), random.Random(self.config.bus).random())
        last: int | None = None
        try:
            while True:
                now = self._clock.mono_ms()
                due = cadence.due(now, last)
                await asyncio.sleep(max(0, due - now) / 1000)
                last = max(due, self._clock.mono_ms())
                self._report(await Round(bus, self._states, self._clock, self._number).run())
                self._number += 1
                self._counts = bus.counts()
        finally:
            await bus.close()

    def health(self) -> dict[str, Any]:
        last = self._last
        return {
            "meters": len(self._states),
            "rounds": self._number,
            "away": self._away,
            "silent": [state.target.meter for state in self._states if state.patience.silent],
            "faults": dict(self._plan.faults),
            "last_round": last and last.round,
            "took_ms": last and last.took_ms,
            "missing": len(last.missing) if last else 0,
            **self._counts,
        }

    def _report_plan(self) -> None:
        for meter, why in self._plan.faults.items():
            self._device(f"meter {meter}", "fault", why)

    def _report(self, result: RoundResult) -> None:
        """The round as one event, with the last values when it is time; then what changed for the worse or the better."""
        self._last = result
        missing = [*result.missing, *self._plan.faults]
        if result.items:
            body = Readings(bus=self.config.bus, round=result.round, items=list(result.items), missing=missing)
            self._outbox.put(body, self._to_keep(result))
        if result.away is not None and self._away is None:
            self._device(f"bus {self.config.bus}", "fault", result.away)
        elif result.away is None and self._away is not None:
            self._device(f"bus {self.config.bus}", "ok", None)
        self._away = result.away
        for meter in result.lost:
            self._device(f"meter {meter}", "fault", "no answer")
        for meter in result.back:
            self._device(f"meter {meter}", "ok", None)

    def _device(self, device: str, state: str, detail: str | None) -> None:
        log.info("meter_device", device=device, state=state, detail=detail)
        self._outbox.put(Device(device=device, state="ok" if state == "ok" else "fault", detail=detail, bus=self.config.bus))

    def _to_keep(self, result: RoundResult) -> dict[str, bytes | None]:
        now = self._clock.mono_ms()
        froze = any(item.quality == "back_filled" for item in result.items)
        if self._kept_at is not None and now - self._kept_at < KEEP_EVERY_MS and not froze:
            return {}
        self._kept_at = now
        days = {state.target.meter: state.frozen_through for state in self._states if state.frozen_through}
        values = {state.target.meter: state.judge.to_state() for state in self._states}
        return {f"meters/values/{self.config.bus}": dump(values), f"meters/frozen/{self.config.bus}": dump_days(days)}

    def _restore(self, journal: Journal) -> None:
        values = load(journal.state(f"meters/values/{self.config.bus}"))
        days = load_days(journal.state(f"meters/frozen/{self.config.bus}"))
        for state in self._states:
            meter = state.target.meter
            state.judge.restore(values.get(meter, {}))
            state.frozen_through = days.get(meter)
