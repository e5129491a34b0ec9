"""From stored lines to the slices that care: groups of one kind in order, what is refused set aside (DESIGN 2.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

import psycopg
import structlog

from cloud.shared.db import Scope, Tx
from protocols.errors import Refused
from protocols.time import ClockQuality, parse_instant
from protocols.uplink.acks import Head
from protocols.uplink.envelope import SCHEMA, Event, Line
from protocols.uplink.events import KINDS, Body, Payment, parse_body

log = structlog.get_logger()

LONGEST_NAME = 200
_LONG_TEXTS = frozenset({"quote", "detail"})
"""Kept with the event, never a name."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a box stands."""

    box: str
    company_id: int
    project_id: int


def scope_of(place: Place) -> Scope:
    """What a box's own events may touch: its project."""
    return Scope(frozenset({place.company_id}), frozenset({place.project_id}))


@dataclass(frozen=True, slots=True)
class BoxEvent:
    """One event of a box as handlers get it. `at` is the box's clock, `received_at` the hub's."""

    box: str
    company_id: int
    project_id: int
    stream: str
    epoch: str
    seq: int
    kind: str
    body: Body
    at: datetime
    clock: ClockQuality
    received_at: datetime


Handler = Callable[[Tx, Sequence[BoxEvent]], Awaitable[None]]
"""Gets consecutive events of one kind of one batch, in the batch's transaction. It may be called again for the same events after
a savepoint was rolled back, so it changes nothing outside `tx`. Raises Refused for what it does not take, Retry to try all later.
"""

SuspenseHandler = Callable[[Tx, BoxEvent, str], Awaitable[None]]
"""Posts the money of a refused event to suspense; the text is the code it was refused with."""

Witnesses = Callable[[Tx, int], Awaitable[Sequence[Head]]]
"""The chain heads an acknowledgement to a box of this project carries."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """Who is told what; put together in `cloud/app.py`.

    apart  kinds that neither need nor change what the others do: all of a batch are one group each, before the rest
    """

    kinds: Mapping[str, Sequence[Handler]] = field(default_factory=dict)
    suspense: SuspenseHandler | None = None
    witnesses: Witnesses | None = None
    apart: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SetAside:
    """A refused event and why; `suspended`: its money lies in suspense."""

    event: Event
    problem: Refused
    amount_fen: int | None = None
    suspended: bool = False


async def route(tx: Tx, place: Place, lines: Iterable[Line], handlers: Handlers, now: datetime) -> list[SetAside]:
    """Hand every event to its handlers and return those set aside; their money is in suspense by then."""
    events: list[BoxEvent] = []
    sources: dict[int, Event] = {}
    aside: list[SetAside] = []
    for line in lines:
        sources[line.event.seq] = line.event
        try:
            events.append(read(place, line.event, now))
        except Refused as problem:
            aside.append(await _suspend(tx, line.event, _money_in(place, line.event, now), problem, handlers))
    for event, refusal in await _deliver(tx, events, handlers):
        aside.append(await _suspend(tx, sources[event.seq], event, refusal, handlers))
    return aside


def read(place: Place, event: Event, now: datetime) -> BoxEvent:
    """An event with its body understood.

    Refused `future_schema`, `unknown_kind`, `bad_body`, `wrong_stream`, `bad_time`, `too_long`.
    """
    body = parse_body(event.v, event.kind, event.body)
    _check_lengths(body)
    if KINDS[event.kind][0] != event.stream:
        raise Refused("wrong_stream", "事件走错了通道", f"{event.kind} does not belong to stream {event.stream}")
    return _event(place, event, body, now)


def _check_lengths(body: Body) -> None:
    """A name (lane, stay, plate, meter ...) too long to be indexed or told would stop the whole batch, again and again."""
    for name, value in body.__dict__.items():
        if isinstance(value, str) and len(value) > LONGEST_NAME and name not in _LONG_TEXTS:
            raise Refused("too_long", "事件里的文字太长", f"{name} has {len(value)} characters", field=name)
        for part in value if isinstance(value, list) else ():
            if isinstance(part, Body):
                _check_lengths(part)


def _event(place: Place, event: Event, body: Body, now: datetime) -> BoxEvent:
    return BoxEvent(
        place.box,
        place.company_id,
        place.project_id,
        event.stream,
        event.epoch,
        event.seq,
        event.kind,
        body,
        parse_instant(event.at),
        event.clock,
        now,
    )


def _money_in(place: Place, event: Event, now: datetime) -> BoxEvent | None:
    """The payment in an event that could not be read as it stands (a newer schema, a strange time), as far as it can be told."""
    if event.kind != "payment":
        return None
    try:
        body = parse_body(min(event.v, SCHEMA), event.kind, event.body)
        return _event(place, event.model_copy(update={"at": _time_or(event.at, now)}), body, now)
    except Refused:
        return None


def _time_or(text: str, now: datetime) -> str:
    try:
        return parse_instant(text).isoformat()
    except Refused:
        return now.isoformat()


async def _deliver(tx: Tx, events: Sequence[BoxEvent], handlers: Handlers) -> list[tuple[BoxEvent, Refused]]:
    kinds = handlers.kinds
    wanted = [event for event in events if kinds.get(event.kind)]
    # A lane tells of a stroke, a passage, a stroke, ...: kept in that order each would be a group by itself.
    wanted.sort(key=lambda event: (event.kind not in handlers.apart, event.kind if event.kind in handlers.apart else ""))
    groups = [list(group) for _, group in groupby(wanted, key=lambda event: event.kind)]
    # Nearly always nothing is refused: then one savepoint is enough for the whole batch.
    if not groups or await _attempt(tx, groups, kinds) is None:
        return []
    refused: list[tuple[BoxEvent, Refused]] = []
    for group in groups:
        problem = await _attempt(tx, [group], kinds)
        if problem is None:
            continue
        if len(group) == 1:
            refused.append((group[0], problem))
            continue
        for event in group:
            alone = await _attempt(tx, [[event]], kinds)
            if alone is not None:
                refused.append((event, alone))
    return refused


async def _attempt(tx: Tx, groups: Sequence[Sequence[BoxEvent]], kinds: Mapping[str, Sequence[Handler]]) -> Refused | None:
    """Run handlers inside a savepoint; the refusal that rolled it back, or None."""
    try:
        async with tx.savepoint():
            for group in groups:
                for handler in kinds[group[0].kind]:
                    await handler(tx, group)
    except Refused as problem:
        return problem
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded) as problem:
        # A value the database cannot hold is the event's fault: one bad event never blocks a box.
        log.error("handler_data_error", kinds=[group[0].kind for group in groups], error=str(problem))
        return Refused("bad_data", "事件里的数值存不进去", f"the database refused it: {type(problem).__name__}")
    return None


async def _suspend(tx: Tx, source: Event, event: BoxEvent | None, problem: Refused, handlers: Handlers) -> SetAside:
    """Set an event aside; a payment goes to suspense at once, so that HQ's sum is right."""
    if event is None or not isinstance(event.body, Payment):
        return SetAside(source, problem)
    amount = event.body.amount_fen
    if handlers.suspense is None:
        return SetAside(source, problem, amount)
    suspend, money = handlers.suspense, event

    async def post(tx: Tx, group: Sequence[BoxEvent]) -> None:
        await suspend(tx, money, problem.code)

    failed = await _attempt(tx, [[money]], {money.kind: [post]})
    if failed is not None:
        log.error("suspense_refused", box=event.box, seq=event.seq, code=failed.code)
    return SetAside(source, problem, amount, failed is None)
