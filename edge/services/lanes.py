"""The lanes of a box: documents, plates, commands and guards come together here (DESIGN 2, 5; REQUIREMENTS 18)."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from edge.core.lane_types import Grant, Reading
from edge.core.stays import Moment, Paid, StayRecord, instant
from edge.ports import Clock, Documents, Journal, LaneWires, PlateSeen
from edge.services.lane_desk import Answer, Desk, owed
from edge.services.lane_judge import Judge
from edge.services.lane_lists import Lists
from edge.services.lane_outbox import Outbox
from edge.services.lane_pictures import Keep
from edge.services.lane_runner import LaneRunner, Shared
from edge.services.lane_stays import Stays
from protocols.errors import NotFound, Refused
from protocols.plate import normalise, parse
from protocols.time import iso, parse_instant
from protocols.uplink.commands import Command
from protocols.uplink.documents import DocumentName
from protocols.uplink.events import Device
from protocols.wiring import LaneConfig

log = structlog.get_logger(__name__)

READINGS_KEPT = 1_000
RESTART_S = 1.0
RESTART_AT_MOST_S = 30.0


@dataclass(frozen=True, slots=True)
class LaneView:
    """One lane as the guard sees it. `state` and `arm` are the machine's words; amounts in fen."""

    lane: str
    name: str
    direction: str
    state: str
    arm: str = "unknown"
    plate: str | None = None
    colour: str = ""
    confidence: int = 0
    stay: str | None = None
    entered_at: str | None = None
    fee_fen: int | None = None
    lines: tuple[str, ...] = ()
    why: str = ""
    waiting_s: int = 0
    fire: bool = False
    strokes: int = 0
    candidates: tuple[dict[str, Any], ...] = ()


class Lanes:
    """`box` names the receipt book `<box>-L`. `online` tells whether the hub is there (L-31); without it, it always is.

    `keep_picture` sends a picture up that an event names; without it none is held.
    `ready` is set when every lane that could be started is deciding.
    """

    def __init__(
        self,
        journal: Journal,
        documents: Documents,
        clock: Clock,
        make_wires: Callable[[LaneConfig], LaneWires],
        *,
        box: str = "",
        online: Callable[[], bool] = lambda: True,
        new_id: Callable[[], str] = lambda: secrets.token_hex(8),
        keep_picture: Keep | None = None,
    ) -> None:
        self.ready = asyncio.Event()
        self._journal = journal
        self._documents = documents
        self._clock = clock
        self._make_wires = make_wires
        self._box = box
        self._lists = Lists(documents)
        self._outbox = Outbox(journal)
        stays = Stays()
        judge = Judge(self._lists, stays, self._moment, new_id, online)
        self._shared = Shared(stays, judge, self._outbox, self._moment, clock.mono_ms, new_id, self._outbox.state, keep_picture)
        self._desk: Desk | None = None
        self._runners: dict[str, LaneRunner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._broken: dict[str, asyncio.Event] = {}
        self._readings: OrderedDict[str, None] = OrderedDict()

    # -- life --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled. Loses nothing that was put: what the store has not taken is lost only with the power."""
        self._desk = self._desk or self._remember()
        writer = asyncio.create_task(self._outbox.run())
        try:
            self._arrange()
            self.ready.set()
            await writer
        finally:
            for task in self._tasks.values():
                task.cancel()
            writer.cancel()
            await asyncio.gather(writer, *self._tasks.values(), return_exceptions=True)
            for runner in self._runners.values():
                runner.stop()
            self._tasks, self._runners = {}, {}
            self.ready.clear()

    def _remember(self) -> Desk:
        """Once: what the journal and the documents hold."""
        self._shared.stays.load(self._journal.states("stay/"))
        self._report(self._lists.load())
        self._documents.on_change(self._changed)
        desk = Desk(self._shared, f"{self._box or self._lists.site or 'box'}-L")
        desk.load(self._journal.states("key/"), self._journal.states("drawer/"))
        return desk

    async def drained(self) -> None:
        """Everything decided so far is on the disk."""
        await self._outbox.drained()

    def _arrange(self) -> None:
        """Bring lanes into line with the document: start new ones, pass on settings, stop what is gone."""
        for name, config in self._lists.lanes.items():
            runner = self._runners.get(name)
            if runner is not None and (config.pins == runner.config.pins and config.direction == runner.config.direction):
                runner.configure(config)
            elif runner is not None:
                self._end(name)
            if name not in self._tasks:
                self._open(name, config)
                self._tasks[name] = asyncio.create_task(self._keep(name))
        for name in self._runners.keys() - self._lists.lanes.keys():
            self._end(name)

    def _end(self, name: str) -> None:
        self._tasks.pop(name).cancel()
        runner = self._runners.pop(name, None)
        if runner is not None:
            runner.stop()

    def _open(self, name: str, config: LaneConfig) -> None:
        """Take the wires and start. A driver that fails costs this lane only; `_keep` tries again."""
        broken = self._broken[name] = asyncio.Event()

        def stopped(problem: Exception) -> None:
            log.error("lane_stopped", lane=name, exc_info=problem)
            self._outbox.put([Device(device=f"lane/{name}", state="fault", detail=str(problem)[:200], lane=name)], {})
            self._runners.pop(name, None)
            broken.set()

        try:
            runner = LaneRunner(config, self._make_wires(config), self._shared, stopped)
        except Exception as problem:  # noqa: BLE001 - the supervisor of one lane's driver
            stopped(problem)
            return
        self._runners[name] = runner
        runner.start()

    async def _keep(self, name: str) -> None:
        """One lane's supervisor: starts it anew after a failure, ever more slowly."""
        pause = RESTART_S
        while True:
            await self._broken[name].wait()
            await asyncio.sleep(pause)
            pause = min(pause * 2, RESTART_AT_MOST_S)
            config = self._lists.lanes.get(name)
            if config is None:
                return
            self._open(name, config)
            if name in self._runners:
                self._outbox.put([Device(device=f"lane/{name}", state="ok", lane=name)], {})

    def _changed(self, names: frozenset[DocumentName]) -> None:
        self._report(self._lists.load(names))
        if "lanes" in names and self.ready.is_set():
            self._arrange()

    def _report(self, problems: list[tuple[DocumentName, str]]) -> None:
        for name, reason in problems:
            log.error("document_unreadable", document=name, reason=reason)
            self._outbox.put([Device(device=f"document/{name}", state="fault", detail=reason)], {})

    def _moment(self) -> Moment:
        return Moment(self._clock.wall(), self._clock.boot, self._clock.mono_ms())

    # -- cameras, hub ------------------------------------------------------------------------------------------------

    def plate_seen(self, seen: PlateSeen) -> None:
        """A camera's reading; a repeated or late one does nothing (L-07)."""
        runner = self._runners.get(seen.lane)
        if runner is None or seen.late or seen.event_id in self._readings:
            return
        self._readings[seen.event_id] = None
        if len(self._readings) > READINGS_KEPT:
            self._readings.popitem(last=False)
        plate = normalise(seen.plate) if seen.plate else None
        runner.seen(Reading(plate or None, seen.colour, min(100, max(0, seen.confidence))), seen.picture)

    async def command(self, command: Command) -> str:
        """`open` lets the stay that stands there pass, `lock` ends an opening by fire. Refused with the reason when it cannot."""
        args = command.args
        runner = self._runner(str(args.get("lane", "")))
        if command.name == "lock":
            if not runner.rearm():
                raise Refused("fire_active", "消防信号还在，不能落杆", "the fire input is still active")
            return "locked"
        if command.name != "open":
            raise Refused("unknown_command", "车道不会做这件事", f"a lane has no command {command.name}")
        by, reference = args.get("by"), args.get("reference")
        if args.get("reason") != "paid":
            visit = runner.lane.visit
            detail = str(args.get("reason") or "")[:60] or None
            await runner.release(Grant("command", visit.stay if visit else None, by, reference, detail))
            return "opened"
        return await self._paid(runner, str(args.get("stay", "")), reference, args.get("amount_fen"), args.get("as_of"))

    async def _paid(
        self, runner: LaneRunner, stay: str, reference: str | None, amount_fen: int | None, as_of: str | None
    ) -> str:
        """A driver paid at the hub. Refused `not_here` unless that stay waits at the lane (or the amount is named: noted).

        `as_of`: when the amount was due. An order over an earlier, smaller fee counts for the stay; the rest stays due (K-24).
        """
        record = self._shared.stays.get(stay)
        if record is None:
            raise Refused("not_here", "这辆车已经不在场内", "no such stay inside", field="stay")
        at = iso(_priced_at(record, instant(record, self._moment())[0], as_of))
        try:
            due = owed(runner, stay).due_fen
        except Refused:
            if amount_fen is None:
                raise
            due = None
        if amount_fen is not None and (due is None or int(amount_fen) < due):
            self._outbox.put([], self._shared.stays.put(record.with_payment(Paid(at, int(amount_fen), reference))))
            if due is not None:
                runner.ask_again()
            await self._outbox.drained()
            return "noted"
        assert due is not None, "without an amount the stay waits here"
        paid = record.with_payment(Paid(at, due if amount_fen is None else int(amount_fen), reference))
        if runner.lane.can_release:
            await runner.release(Grant("paid", stay, reference=reference), (), self._shared.stays.put(paid))
        return "opened"

    # -- guards ------------------------------------------------------------------------------------------------------

    async def take_cash(self, lane: str, stay: str, tendered_fen: int, operator: str, key: str) -> Answer:
        """See `Desk.take_cash`. NotFound `no_lane`."""
        return await self._at_desk().take_cash(self._runner(lane), stay, tendered_fen, operator, key)

    async def raise_arm(self, lane: str, reason: str, operator: str, key: str) -> Answer:
        """See `Desk.raise_arm`. NotFound `no_lane`."""
        return await self._at_desk().raise_arm(self._runner(lane), reason, operator, key)

    def correct(self, lane: str, plate: str, by: str | None = None) -> None:
        """A guard says what the plate is, or which vehicle inside it is (K-31, K-34). Refused `bad_plate`, `nobody_waits`."""
        runner = self._runner(lane)
        if not runner.waits:
            raise Refused("nobody_waits", "这个车道现在没有车在等", "nobody waits at this lane")
        runner.correct(parse(plate).text, by)

    def rearm(self, lane: str) -> None:
        """End the opening by fire (L-13). Refused `fire_active`."""
        if not self._runner(lane).rearm():
            raise Refused("fire_active", "消防信号还在，不能落杆", "the fire input is still active")

    def drawer(self, operator: str) -> Answer:
        return self._at_desk().drawer(operator)

    @property
    def news(self) -> list[dict[str, Any]]:
        """What happened last, newest first."""
        return list(self._shared.news)

    @property
    def cars_inside(self) -> int:
        return self._shared.stays.count

    @property
    def hub_online(self) -> bool:
        return self._shared.judge.online()

    @property
    def store_failing(self) -> bool:
        """Events wait in memory because the store does not take them."""
        return self._outbox.failing

    @property
    def quiet(self) -> bool:
        """No vehicle in any lane: the moment for an update (B-06)."""
        return all(runner.lane.quiet for runner in self._runners.values())

    def views(self) -> list[LaneView]:
        """Every lane of the document, in its order."""
        return [self._view(name, config) for name, config in self._lists.lanes.items()]

    def _view(self, name: str, config: LaneConfig) -> LaneView:
        runner = self._runners.get(name)
        if runner is None:
            return LaneView(name, config.name, config.direction, "fault", why="设备故障")
        lane = runner.lane
        visit, verdict = lane.visit, lane.visit.verdict if lane.visit is not None else None
        return LaneView(
            lane=name,
            name=config.name,
            direction=config.direction,
            state=lane.place.value,
            arm=lane.arm.value,
            plate=visit.plate if visit else None,
            colour=visit.reading.colour if visit else "",
            confidence=visit.reading.confidence if visit else 0,
            stay=visit.stay if visit else None,
            entered_at=verdict.entered_at if verdict else None,
            fee_fen=verdict.due_fen if verdict and verdict.kind == "owes" else None,
            lines=verdict.lines if verdict else (),
            why=verdict.why if verdict else "",
            waiting_s=(self._clock.mono_ms() - visit.since_ms) // 1_000 if visit else 0,
            fire=lane.fire,
            strokes=lane.strokes,
            candidates=tuple(
                {"stay": found.stay, "plate": found.plate, "entered_at": found.entered_at, "fee_fen": found.fee_fen}
                for found in (verdict.candidates if verdict else ())
            ),
        )

    def _runner(self, lane: str) -> LaneRunner:
        runner = self._runners.get(lane)
        if runner is None:
            raise NotFound("no_lane", "没有这个车道", f"no lane {lane}", field="lane")
        return runner

    def _at_desk(self) -> Desk:
        if self._desk is None:
            raise Refused("starting", "盒子正在启动", "the box is starting")
        return self._desk


def _priced_at(record: StayRecord, now: datetime, as_of: str | None) -> datetime:
    """When a payment's amount was due, within the stay: from then the minutes to leave count (Q-84). Refused `bad_time`."""
    if as_of is None:
        return now
    return max(parse_instant(record.entered_at), min(parse_instant(as_of, field="as_of"), now))
