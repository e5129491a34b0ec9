"""One round over one bus: everybody who is due is asked once, a few are asked again, and what was read is judged (E-01, E-02)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from edge.core.meter_judge import Judge, Quality
from edge.core.meter_plan import Patience, missed_midnights, questions, retries
from edge.core.meter_types import Ask, MeterBus, Target, Value
from edge.ports import Clock
from protocols.errors import Refused, Retry
from protocols.time import ClockQuality, civil, iso, parse_local
from protocols.uplink.events import Reading

FINAL = frozenset({"device_refused", "unsupported"})
"""The meter understood and will not: asking again in this round changes nothing."""


@dataclass(slots=True)
class MeterState:
    """What the service remembers of one meter between rounds."""

    target: Target
    judge: Judge
    patience: Patience = field(default_factory=Patience)
    frozen_through: date | None = None
    last_problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    at: datetime
    values: Sequence[Value]


@dataclass(slots=True)
class _Asked:
    """One meter in one round. `silent` holds while nothing at all came back."""

    state: MeterState
    answers: dict[Ask, _Answer] = field(default_factory=dict)
    failed: list[Ask] = field(default_factory=list)
    final: bool = False
    spoke: bool = False


@dataclass(frozen=True, slots=True)
class RoundResult:
    """What a round brought.

    away        why the bus could not be reached at its end
    lost, back  meters that count as silent from now on, or do no longer
    """

    round: str
    items: tuple[Reading, ...]
    missing: tuple[str, ...]
    away: str | None
    lost: tuple[str, ...]
    back: tuple[str, ...]
    took_ms: int


class Round:
    """Runs once. Nothing it raises is about a meter: their problems are in the result."""

    def __init__(self, bus: MeterBus, states: Sequence[MeterState], clock: Clock, number: int) -> None:
        self._bus = bus
        self._states = states
        self._clock = clock
        self._number = number
        self._away: str | None = None
        self._frozen: list[Reading] = []

    async def run(self) -> RoundResult:
        began, at = self._clock.mono_ms(), iso(self._clock.wall().at)
        for state in self._states:
            state.judge.next_round()
        asked = [_Asked(state) for state in self._states if state.patience.turn()]
        await asyncio.gather(*(self._ask(one, questions(one.state.target, self._number)) for one in asked))
        await self._again(asked)
        await self._backfill(asked)
        self._bus.settle()
        lost, back = self._patience(asked)
        items = tuple([*self._judged(asked), *self._frozen])
        complete = {one.state.target.meter for one in asked if not one.failed}
        missing = tuple(state.target.meter for state in self._states if state.target.meter not in complete)
        return RoundResult(at, items, missing, self._away, lost, back, self._clock.mono_ms() - began)

    async def _ask(self, one: _Asked, asks: Iterable[Ask]) -> None:
        """The questions of one meter in turn; after a silence the rest is left for later, if there is a later."""
        left = list(asks)
        while left:
            if self._away is not None:
                break
            ask = left[0]
            try:
                values = await self._bus.read(ask)
            except Refused as refused:
                one.spoke = True
                one.final = one.final or refused.code in FINAL
                one.state.last_problem = str(refused)
                one.failed.append(left.pop(0))
                continue
            except Retry as problem:
                one.state.last_problem = str(problem)
                if problem.code == "bus_away":
                    self._away = problem.en
                break
            one.spoke = True
            one.answers[ask] = _Answer(self._clock.wall().at, values)
            left.pop(0)
        one.failed += left

    async def _again(self, asked: Sequence[_Asked]) -> None:
        """Once more, within the budget: everybody after the connection was lost, then who failed, then who said what is hard to
        believe (a zero for a moment)."""
        if self._away is not None:
            self._away = None
            for one in asked:
                await self._retry(one)
            return
        budget = retries(sum(len(one.answers) + len(one.failed) for one in asked))
        for one in asked:
            if one.failed and not one.final and budget >= len(one.failed):
                budget -= len(one.failed)
                await self._retry(one)
        for one in asked:
            doubtful = [ask for ask, answer in one.answers.items() if any(map(one.state.judge.doubtful, answer.values))]
            if doubtful and budget >= len(doubtful):
                budget -= len(doubtful)
                before = dict(one.answers)
                await self._ask(one, doubtful)
                one.failed = [ask for ask in one.failed if ask not in before]

    async def _retry(self, one: _Asked) -> None:
        if one.failed:
            failed, one.failed = one.failed, []
            await self._ask(one, failed)

    async def _backfill(self, asked: Sequence[_Asked]) -> None:
        """The midnights that nobody read, from the meters' own memory (E-01 冻结, gap fill)."""
        wall = self._clock.wall()
        if wall.quality is ClockQuality.UNCERTAIN:
            return
        now = civil(wall.at)
        for one in asked:
            address = one.state.target.freezes
            if address is None or not one.answers or one.failed:
                continue
            for back in missed_midnights(one.state.frozen_through, now):
                if self._away is not None or not await self._frozen_day(one.state, address, back, now):
                    break
                one.state.frozen_through = now.date() - timedelta(days=back - 1)

    async def _frozen_day(self, state: MeterState, address: str, back: int, now: datetime) -> bool:
        """Whether this midnight is settled: read, or the meter does not have it."""
        try:
            text, values = await self._bus.frozen(address, back)
        except Refused as refused:
            state.last_problem = str(refused)
            return True
        except Retry as problem:
            if problem.code == "bus_away":
                self._away = problem.en
            return False
        if text is not None:
            at = parse_local(text)
            if now - timedelta(days=back + 1) <= at <= now:
                self._frozen += [_reading(state, value, at, "back_filled") for value in values]
        return True

    def _patience(self, asked: Sequence[_Asked]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """A lost connection says nothing about the meters behind it."""
        lost, back = [], []
        for one in asked:
            if one.spoke:
                if one.state.patience.answered():
                    back.append(one.state.target.meter)
            elif self._away is None and one.state.patience.missed():
                lost.append(one.state.target.meter)
        return tuple(lost), tuple(back)

    def _judged(self, asked: Sequence[_Asked]) -> Iterable[Reading]:
        for one in asked:
            for answer in one.answers.values():
                for value in answer.values:
                    yield _reading(one.state, value, answer.at, one.state.judge.accept(value))


def _reading(state: MeterState, value: Value, at: datetime, quality: Quality) -> Reading:
    return Reading(
        meter=state.target.meter,
        quantity=value.quantity,
        value=value.text,
        unit=value.unit,
        at=iso(at),
        tariff=value.tariff,
        quality=quality,
    )
