"""Sending what waits: checked in the moment before, once, or again with a bound (W-02, W-03).

A message is claimed in one transaction (its check, its person's day, its state `sending`), handed to the channel at once, and
settled in a second one. Who dies between leaves `sending` behind: about money it becomes `unknown` and is not sent twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from cloud.notices import store
from cloud.notices.domain_outbox import (
    STALE,
    TRIES,
    Channel,
    Check,
    Message,
    Outgoing,
    Sent,
    again_at,
    allowed_from,
    merged,
    tomorrow,
)
from cloud.shared import store_jobs
from cloud.shared.db import Database, Scope, Tx
from protocols.errors import Refused, Retry
from protocols.time import business_date

log = structlog.get_logger()

SECONDS = 20.0
"""A channel that takes longer is given up: with its check a message is out within 60 s (W-03)."""
EVERY_SECONDS = 2.0
LEASE = timedelta(minutes=2)
AGAIN = timedelta(minutes=10)
"""How often what a person is to do is asked whether it is still true."""
_DIED = "发送途中程序中断，不知道有没有送到"
_TOO_LATE = "三天没有发出，内容已过时"


@dataclass(frozen=True, slots=True)
class _Claim:
    lead: Message
    ids: tuple[int, ...]
    text: str


async def dispatch(
    db: Database, channels: Mapping[str, Channel], checks: Mapping[str, Check], now: Callable[[], datetime], *, most: int = 500
) -> int:
    """Send what may go now; how many went out. Cancelled, postponed and failed ones are settled too."""
    sent = 0
    scope = Scope(await store_jobs.companies(db), None, True)
    for _ in range(most):
        async with db.tx(scope) as tx:
            lead = await store.due(tx, list(channels), now())
            if lead is None:
                return sent
            claim = await _claim(tx, lead, checks, now())
        if claim is not None:
            sent += await _send(db, scope, channels[claim.lead.channel], claim, now)
    return sent


async def _claim(tx: Tx, lead: Message, checks: Mapping[str, Check], now: datetime) -> _Claim | None:
    """The message with those it takes along, each true at this moment; None when there is nothing to send now."""
    await store.lock(tx, f"{lead.project_id} {lead.to.who}" if lead.money else f"message {lead.id}")
    waiting = await store.group(tx, lead, now)
    if not waiting:
        return None
    allowed = allowed_from(now, lead.to)
    if allowed > now:
        await store.postpone(tx, [one.id for one in waiting], allowed)
        return None
    true = [found for one in waiting if (found := await _checked(tx, one, checks, now)) is not None]
    if not true:
        return None
    first, ids = true[0], tuple(one.id for one in true)
    if first.money and first.project_id is not None and not await store.take_day(tx, first, business_date(now)):
        await store.postpone(tx, ids, tomorrow(now))
        return None
    text = merged([one.text for one in true])
    await store.set_state(
        tx, [first.id], "sending", tries=first.tries + 1, checked_at=now, sent_text=text, next_at=now + LEASE, note=""
    )
    if len(ids) > 1:
        await store.set_state(tx, ids[1:], "merged", checked_at=now, merged_into=first.id)
    return _Claim(first, ids, text)


async def _checked(tx: Tx, message: Message, checks: Mapping[str, Check], now: datetime) -> Message | None:
    check = checks.get(message.kind)
    if check is None:
        return message
    verdict = await check(tx, message, now)
    if verdict.text is None:
        await store.set_state(tx, [message.id], "cancelled", checked_at=now, note=verdict.note[:300])
        return None
    if verdict.text == message.text:
        return message
    computed = verdict.computed or message.computed
    await store.set_state(tx, [message.id], "waiting", text=verdict.text, computed=list(computed))
    return replace(message, text=verdict.text, computed=computed)


async def _send(db: Database, scope: Scope, channel: Channel, claim: _Claim, now: Callable[[], datetime]) -> int:
    lead = claim.lead
    outgoing = Outgoing(lead.id, lead.project_id, lead.kind, lead.to, lead.channel, claim.text)
    try:
        async with asyncio.timeout(SECONDS):
            answer = await channel.send(outgoing)
    except (Refused, Retry, TimeoutError) as problem:
        await _failed(db, scope, claim, problem, now())
        return 0
    async with db.tx(scope) as tx:
        await _settle(tx, claim, answer, now())
    return 1


async def _settle(tx: Tx, claim: _Claim, answer: Sent, now: datetime) -> None:
    await store.set_state(tx, [claim.lead.id], "sent", sent_at=now, reference=answer.reference[:120])


async def _failed(db: Database, scope: Scope, claim: _Claim, problem: Exception, now: datetime) -> None:
    """A channel away is asked again, five times in all; one that refuses is not; one that did not answer nobody knows of."""
    lead, tries = claim.lead, claim.lead.tries + 1
    async with db.tx(scope) as tx:
        if isinstance(problem, Retry) and tries < TRIES:
            until = allowed_from(again_at(now, tries, lead.id), lead.to)
            await store.set_state(tx, [lead.id], "waiting", next_at=until, note=problem.zh)
            if len(claim.ids) > 1:
                await store.set_state(tx, claim.ids[1:], "waiting", next_at=until, merged_into=None)
        elif isinstance(problem, Refused | Retry):
            await store.set_state(tx, [lead.id], "failed", note=f"{problem.zh}，试了 {tries} 次")
        else:
            await store.set_state(tx, [lead.id], "unknown", note=f"通道 {SECONDS:.0f} 秒没有回答，不知道有没有送到")
    log.warning("message_not_sent", message=lead.id, kind=lead.kind, tries=tries)


async def tidy(db: Database, now: datetime) -> None:
    """Messages of a dispatcher that died, and those that could not go out for three days."""
    async with db.tx(Scope(await store_jobs.companies(db), None, True)) as tx:
        await store.stuck(tx, now, _DIED)
        await store.stale(tx, now - STALE, _TOO_LATE)


async def review(db: Database, checks: Mapping[str, Check], now: datetime) -> None:
    """Calls and papers that a person is to do: those that are not true any more leave the list (W-03)."""
    async with db.tx(Scope(await store_jobs.companies(db), None, True)) as tx:
        for one in await store.by_hand(tx, now - AGAIN, 200):
            found = await _checked(tx, one, checks, now)
            if found is not None:
                await store.set_state(tx, [one.id], "waiting", checked_at=now)


async def keep_sending(
    db: Database, channels: Mapping[str, Channel], checks: Mapping[str, Check], now: Callable[[], datetime]
) -> None:
    """`tidy` and `dispatch` every two seconds until cancelled; a database away is asked again."""
    while True:
        try:
            await tidy(db, now())
            await review(db, checks, now())
            await dispatch(db, channels, checks, now)
        except Retry as problem:
            log.warning("messages_wait", code=problem.code)
        await asyncio.sleep(EVERY_SECONDS)
