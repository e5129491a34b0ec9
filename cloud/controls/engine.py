"""The rules at work: each looks from where it looked last, in a transaction of its own; one that fails stops no other.

A rule without a slot looks at every tick, at most `EVERY_SECONDS` apart, so that its alarm stands within a minute of the hub
knowing. A rule with a slot (nightly, weekly, monthly) looks when its hour has come, and makes up for hours the hub slept through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from cloud.access import service as access
from cloud.controls import explaining, store, telling
from cloud.controls.domain import FIRST_LOOK, OVERLAP, Finding, Slot
from cloud.controls.limits import Look
from cloud.controls.service import Raised, raise_alarm
from cloud.shared.db import Database, Scope
from protocols.errors import Retry

log = structlog.get_logger()
EVERY_SECONDS = 15.0
_NEVER = datetime(2000, 1, 1, tzinfo=UTC)

Rule = Callable[[Look], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Control:
    """A rule of the registry: `code` as in REQUIREMENTS 24, `rule` its own name, `look` what finds; `limits`: the settings of
    G-20 it reads. `within` says when the alarm stands, as docs/controls.md has it.
    """

    code: str
    rule: str
    name: str
    icon: str
    within: str
    look: Rule
    slot: Slot | None = None
    limits: tuple[str, ...] = ()


async def tick(db: Database, controls: Sequence[Control], now: datetime) -> list[Raised]:
    """Every rule that is due looks once; what was raised."""
    scope = await access.everything(db)
    raised: list[Raised] = []
    for one in controls:
        try:
            raised += await _look(db, scope, one, now)
        except Retry as problem:
            log.warning("control_waits", rule=one.rule, code=problem.code)
        except Exception as problem:  # noqa: BLE001 - the supervisor of the rules: each answers for itself alone
            log.error("control_failed", rule=one.rule, problem=repr(problem))
            async with db.tx(scope) as tx:
                await store.set_failed(tx, one.rule, repr(problem), now)
    return raised


async def _look(db: Database, scope: Scope, one: Control, now: datetime) -> list[Raised]:
    async with db.tx(scope) as tx:
        mark = await store.mark(tx, one.rule)
        looked = mark["looked_at"] if mark is not None and mark["looked_at"] > _NEVER else None
        done = mark["slot"] if mark is not None else None
        raised: list[Raised] = []
        if one.slot is None:
            since = (looked if looked is not None else now - FIRST_LOOK) - OVERLAP
            raised += await _raise(one, Look(tx, since, now), now)
        else:
            due = one.slot.due(done, now)
            if not due:
                return []
            for at in due:
                raised += await _raise(one, Look(tx, done if done is not None else at - FIRST_LOOK, at), now)
                done = at
        await store.set_mark(tx, one.rule, max(now, looked) if looked is not None else now, done)
    return raised


async def _raise(one: Control, look: Look, now: datetime) -> list[Raised]:
    found = await one.look(look)
    known = await store.known(look.tx, one.code, one.rule, [each.cause for each in found]) if found else set()
    raised = []
    for each in found:
        if each.cause in known:
            continue
        made = await raise_alarm(look.tx, one.code, one.rule, each, now)
        if made is not None:
            await explaining.explain(look.tx, made, now)
            await telling.tell_headquarters(look.tx, made, now)
            raised.append(made)
    return raised


async def watch(
    db: Database, controls: Sequence[Control], now: Callable[[], datetime], *more: Callable[[datetime], Awaitable[object]]
) -> None:
    """`tick` until cancelled, and what else belongs to a round; a database away is asked again."""
    while True:
        for work in (lambda at: tick(db, controls, at), *more):
            try:
                await work(now())
            except Retry as problem:
                log.warning("controls_wait", code=problem.code)
            except Exception as problem:  # noqa: BLE001 - the supervisor of the round
                log.error("controls_failed", problem=repr(problem))
        await asyncio.sleep(EVERY_SECONDS)
