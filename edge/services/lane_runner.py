"""One lane at work: its machine between wires, judge and outbox. Everything here happens at once, in the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from edge.core.lane import Lane, Timing
from edge.core.lane_table import Place
from edge.core.lane_types import (
    Abandon,
    Action,
    Ask,
    Commit,
    Complete,
    Grant,
    Note,
    PostVerdict,
    Pulse,
    Raised,
    Reading,
    StoreFull,
    Verdict,
    Visit,
)
from edge.core.stays import Moment, StayRecord, opened
from edge.ports import Input, LaneWires
from edge.services import lane_events, lane_memory
from edge.services.lane_judge import Judge
from edge.services.lane_outbox import Outbox
from edge.services.lane_pictures import Keep, LanePictures
from edge.services.lane_stays import State, Stays
from protocols.errors import Conflict, Retry
from protocols.time import iso
from protocols.uplink.events import Body, LaneNote, Snapshot
from protocols.wiring import LaneConfig


@dataclass(slots=True)
class Shared:
    """What all lanes of a box have in common."""

    stays: Stays
    judge: Judge
    outbox: Outbox
    now: Callable[[], Moment]
    mono_ms: Callable[[], int]
    new_id: Callable[[], str]
    state: Callable[[str], bytes | None]
    keep_picture: Keep | None = None
    news: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=20))


@dataclass(slots=True)
class Attached:
    """What is written together with a grant: a payment, the stay it pays, counters, the answer under its key."""

    bodies: tuple[Body, ...]
    state: State
    answer: asyncio.Future[None]


class LaneRunner:
    """Drives one lane. `broken` says why it stopped listening; its supervisor then starts it anew."""

    def __init__(self, config: LaneConfig, wires: LaneWires, shared: Shared, broken: Callable[[Exception], None]) -> None:
        self.config = config
        self.wires = wires
        self._shared = shared
        self._broken = broken
        now = shared.now()
        memory, self._recent = lane_memory.read(shared.state(f"lane/{config.lane}"), now)
        self.lane = Lane(timing(config), wires.levels(), memory)
        self.pictures = LanePictures(shared.keep_picture)
        self._written: dict[str, Any] | None = None
        self._attached: Attached | None = None
        self._answers: list[asyncio.Future[None]] = []
        self._bodies: list[Body] = []
        self._state: State = {}
        self._commits: list[tuple[Visit, Attached | None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def start(self) -> None:
        self.wires.listen(self._edge)
        self._run(lambda: self.lane.start(self._shared.mono_ms(), recent=self._recent))

    def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        for answer in self._answers:
            answer.cancel()
        self.wires.close()

    def configure(self, config: LaneConfig) -> None:
        """New policy, tariff or times for the same wires; a vehicle in the lane does not notice."""
        self.config = config
        self.lane.timing = timing(config)

    # -- inputs ------------------------------------------------------------------------------------------------------

    def seen(self, reading: Reading, picture: bytes | None = None) -> None:
        pictured = replace(reading, picture=self.pictures.hold(picture))
        self._run(lambda: self.lane.seen(pictured, self._shared.mono_ms()))

    def correct(self, plate: str, by: str | None) -> None:
        self._run(lambda: self.lane.correct(plate, self._shared.mono_ms(), by))

    def ask_again(self) -> None:
        self._run(lambda: self.lane.ask_again(self._shared.mono_ms()))

    def rearm(self) -> bool:
        done = self.lane.rearm(self._shared.mono_ms())
        self._run(lambda: self.lane.tick(self._shared.mono_ms()))
        return done

    async def release(self, grant: Grant, bodies: tuple[Body, ...] = (), state: State | None = None) -> None:
        """Let the vehicle pass; returns when grant and bodies are on the disk and the arm was told to open.

        Conflict `lane_busy` when the lane is in the middle of something. Retry `store_unavailable`: it is kept and still tried.
        """
        if not self.lane.can_release:
            raise Conflict("lane_busy", "车道正在放行，不用再点", "the lane is already letting a vehicle pass")
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        attached = Attached(bodies, dict(state or {}), answer)

        self._attached, self._answers = attached, [*(a for a in self._answers if not a.done()), answer]
        self._run(lambda: self.lane.release(grant, self._shared.mono_ms()))
        await answer

    def _edge(self, source: Input, active: bool) -> None:
        self._run(lambda: self.lane.edge(source, active, self._shared.mono_ms()))

    def _tick(self) -> None:
        self._timer = None
        self._run(lambda: self.lane.tick(self._shared.mono_ms()))

    # -- actions -----------------------------------------------------------------------------------------------------

    def _run(self, act: Callable[[], list[Action]]) -> None:
        """The lane's supervisor: whatever breaks here stops this lane only, and its arm stays as it is."""
        if self._stopped:
            return
        try:
            self._carry_out(act())
            self._hand_over()
            self.pictures.forget_others(self.lane.pictures)
        except Exception as problem:  # noqa: BLE001 - the supervisor of one lane
            self.stop()
            self._broken(problem)

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Pulse):
                self.wires.pulse_open() if action.open else self.wires.pulse_close()
        for action in actions:
            match action:
                case Ask(visit):
                    verdict = self._shared.judge.judge(visit, self.config, fire=self.lane.fire)
                    self._carry_out(self.lane.judged(visit, verdict, self._shared.mono_ms()))
                case PostVerdict(visit, verdict):
                    self._post_verdict(visit)
                case Commit(visit, grant):
                    self._commit(visit, grant)
                case Complete():
                    self._complete(action)
                case Abandon(visit):
                    self._abandon(visit)
                case Note(what, visit_or_none):
                    snapshot = self._snapshot(visit_or_none) if what == "tailgate" else None
                    self._say(lane_events.note(self.config.lane, action, snapshot))
                case Raised(n, grant_or_none):
                    pictured = lane_events.stroke_is_pictured(grant_or_none)
                    snapshot = self.pictures.snapshot(self.lane.picture) if pictured else None
                    self._say(lane_events.stroke(self.config.lane, n, grant_or_none, snapshot))
                case StoreFull(visit):
                    self._say(self._note("store_full", visit), self._note("call", visit, "存不下记录，车在等"))
                case Pulse():
                    pass

    def _hand_over(self) -> None:
        """Everything of this turn goes to the outbox as one transaction, with the lane's memory when it changed."""
        memory = lane_memory.encode(self.lane.memory())
        if memory != self._written or self._commits:
            self._written = memory
            self._state[f"lane/{self.config.lane}"] = lane_memory.written(memory, self._shared.now())
        if self._bodies or self._state:
            commits, bodies, state = self._commits, self._bodies, self._state
            self._commits, self._bodies, self._state = [], [], {}
            self._shared.outbox.put(bodies, state, (lambda stored: self._written_down(commits, stored)) if commits else None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.lane.deadline is not None:
            wait = max(0, self.lane.deadline - self._shared.mono_ms()) / 1_000
            self._timer = asyncio.get_running_loop().call_later(wait, self._tick)

    def _written_down(self, commits: list[tuple[Visit, Attached | None]], stored: bool) -> None:
        for visit, attached in commits:
            turn = self.lane.committed if stored else self.lane.failed
            self._run(lambda turn=turn, visit=visit: turn(visit, self._shared.mono_ms()))  # type: ignore[misc]  # bound now
            if attached is None or attached.answer.done():
                continue
            if stored:
                attached.answer.set_result(None)
            else:
                attached.answer.set_exception(
                    Retry("store_unavailable", "盒子存不下记录，已记在内存里，稍后再看", "the store refuses to write")
                )

    def _post_verdict(self, visit: Visit) -> None:
        verdict = visit.verdict
        if verdict is None:
            return
        stay = self._shared.stays.get(verdict.stay)
        if verdict.kind == "owes" and stay is not None:
            self._say(lane_events.fee_due(self.config.lane, visit, verdict, stay))
        if verdict.note is not None:
            self._say(self._note(verdict.note, visit, verdict.why))

    def _commit(self, visit: Visit, grant: Grant) -> None:
        attached, self._attached = self._attached, None
        self._commits.append((visit, attached))
        if attached is not None:
            self._say(*attached.bodies)
            self._state |= attached.state
        verdict = visit.verdict
        stay = verdict.stay if verdict is not None and self.config.direction == "in" else None
        if stay is not None and self._shared.stays.get(stay) is None:
            self._state |= self._shared.stays.put(self._record(visit, stay))

    def _record(self, visit: Visit, stay: str) -> StayRecord:
        verdict = visit.verdict
        category = verdict.category if verdict is not None else "casual"
        return opened(stay, visit.plate, visit.reading.colour, category, self.config.lane, self._shared.now())

    def _complete(self, done: Complete) -> None:
        if self.config.direction == "in":
            self._complete_entry(done)
        else:
            self._complete_exit(done)

    def _complete_entry(self, done: Complete) -> None:
        visit, stays = done.visit, self._shared.stays
        record = stays.get(visit.stay) or self._record(visit, visit.stay or self._shared.new_id())
        lost = stays.inside(visit.plate)
        if lost is not None and lost.id != record.id:
            self._state |= stays.end(lost)
            detail = "重复入场：上一次停车没有出场记录"
            self._say(LaneNote(lane=self.config.lane, what="abandoned", stay=lost.id, plate=lost.plate, detail=detail))
        record = replace(record, plate=visit.plate or record.plate, inside=True)
        self._state |= stays.put(record)
        self._pass(done, record, visit.verdict, leaving=False)

    def _complete_exit(self, done: Complete) -> None:
        visit, stays = done.visit, self._shared.stays
        stay = stays.get(visit.stay) or stays.inside(visit.plate)
        if stay is not None and (visit.verdict is None or visit.verdict.stay is None):
            visit.verdict = self._shared.judge.leaving(stay, self.config)
        record = stay or self._record(visit, self._shared.new_id())
        if stay is not None:
            self._state |= stays.end(stay)
        paid = stay.paid_fen if stay is not None else None
        verdict = visit.verdict if visit.verdict is not None and visit.verdict.stay is not None else None
        self._pass(done, record, verdict, leaving=True, paid_fen=paid)

    def _pass(
        self, done: Complete, stay: StayRecord, verdict: Verdict | None, *, leaving: bool, paid_fen: int | None = None
    ) -> None:
        snapshot = self._snapshot(done.visit) if lane_events.passage_is_pictured(done) else None
        lane = self.config.lane
        self._say(lane_events.passage(done, lane, stay, verdict, leaving=leaving, paid_fen=paid_fen, snapshot=snapshot))

    def _snapshot(self, visit: Visit | None) -> Snapshot | None:
        return self.pictures.snapshot(visit.reading.picture) if visit is not None else None

    def _abandon(self, visit: Visit) -> None:
        self._say(self._note("abandoned", visit))
        record = self._shared.stays.get(visit.stay)
        if self.config.direction == "in" and record is not None and not record.inside:
            self._state |= self._shared.stays.end(record)

    def _note(self, what: Any, visit: Visit, detail: str | None = None) -> LaneNote:
        return LaneNote(lane=self.config.lane, what=what, stay=visit.stay, plate=visit.plate, detail=detail)

    def _say(self, *bodies: Body) -> None:
        self._bodies += bodies
        for body in bodies:
            news = lane_events.told(body)
            if news is not None:
                at = iso(self._shared.now().wall.at)
                self._shared.news.appendleft({"at": at, "lane": self.config.name, "plate": news[0], "text": news[1]})

    @property
    def waits(self) -> bool:
        """A vehicle stands before the arm and needs somebody."""
        return self.lane.place in (Place.HELD, Place.OWING, Place.STALLED)


def timing(config: LaneConfig) -> Timing:
    stall_ms = config.policy.open_after_s * 1_000
    return Timing(config.direction == "out", config.travel_ms, config.hold_ms, stall_ms)
