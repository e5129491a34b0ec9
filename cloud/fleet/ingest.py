"""A batch arrives: lock, decide, store, route, commit, and only then acknowledge (DESIGN 2.3, 2.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from cloud.fleet import commands, documents, store
from cloud.fleet.domain import Accept, Decision, Fork, Gap, Repeat, decide, overlap
from cloud.fleet.handling import Handler, Handlers, Place, SetAside, route, scope_of
from cloud.shared.db import Database, Tx
from protocols.errors import Refused
from protocols.time import iso
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import Batch, decode_batch

log = structlog.get_logger()

OWN: Mapping[str, Sequence[Handler]] = {
    "command_done": [commands.on_command_done],
    "documents_set": [documents.on_documents_set],
}


async def ingest(db: Database, box: str, payload: bytes, handlers: Handlers, now: datetime) -> Ack:
    """Take one batch that came on the topic of `box`; the acknowledgement is true by the time this returns.

    Refused `bad_batch`, `bad_event`, `broken_chain`, `foreign_batch`, `unknown_box`: nothing stored, nothing to acknowledge.
    Retry: the database or a handler's dependency is away; nothing stored, the box sends again.
    """
    batch = decode_batch(payload)
    if batch.header.box != box:
        raise Refused("foreign_batch", "这批数据不是这台盒子的", f"a batch of {batch.header.box} on the topic of {box}")
    place = await store.place_of(db, box)
    if place is None:
        raise Refused("unknown_box", "没有登记过这台盒子", f"box {box} is not registered", field="box")
    async with db.tx(scope_of(place)) as tx:
        decision = await _decide(tx, place, batch)
        if isinstance(decision, Accept):
            await _accept(tx, place, batch, decision, _with_own(handlers), now)
        elif isinstance(decision, Fork):
            await _fork(tx, place, batch, decision, now)
        ack = _acknowledgement(batch, decision, now)
        if not ack.quarantined and handlers.witnesses is not None:
            ack = ack.model_copy(update={"heads": tuple(await handlers.witnesses(tx, place.project_id))})
    return ack


async def _decide(tx: Tx, place: Place, batch: Batch) -> Decision:
    state = await store.lock_stream(tx, place.box, batch.header.stream)
    if state is None:
        raise Refused("unknown_box", "没有登记过这台盒子", f"box {place.box} has no such stream", field="box")
    span = overlap(state, batch.header)
    stored = await store.hashes(tx, batch.header, *span) if span else {}
    return decide(state, batch, stored)


async def _accept(tx: Tx, place: Place, batch: Batch, decision: Accept, handlers: Handlers, now: datetime) -> None:
    await store.store_events(tx, place, decision.lines, now)
    await store.set_tip(tx, place, batch.header, decision.tip, now, opens=decision.opens)
    if decision.reset:
        await store.alarm(tx, place, "reset", {"stream": batch.header.stream, "epoch": batch.header.epoch}, now)
    refused = await route(tx, place, decision.lines, handlers, now)
    if refused:
        await store.set_aside(tx, place, refused, now)
        await _alarm_about(tx, place, refused, now)


async def _alarm_about(tx: Tx, place: Place, refused: Sequence[SetAside], now: datetime) -> None:
    for one in refused:
        log.warning("event_refused", box=place.box, kind=one.event.kind, seq=one.event.seq, code=one.problem.code)
        if one.event.kind == "payment":
            detail = {
                "stream": one.event.stream,
                "epoch": one.event.epoch,
                "seq": one.event.seq,
                "code": one.problem.code,
                "amount_fen": one.amount_fen,
                "suspended": one.suspended,
            }
            await store.alarm(tx, place, "payment_refused", detail, now)


async def _fork(tx: Tx, place: Place, batch: Batch, decision: Fork, now: datetime) -> None:
    header = batch.header
    await store.quarantine(tx, place.box, decision.reason, now)
    detail = {"stream": header.stream, "epoch": header.epoch, "seq": decision.seq}
    await store.alarm(tx, place, decision.reason, detail, now)
    await tx.notify("box", {"box": place.box, "project_id": place.project_id})
    log.error("box_quarantined", box=place.box, reason=decision.reason, **detail)


def _acknowledgement(batch: Batch, decision: Decision, now: datetime) -> Ack:
    header = batch.header
    ack = Ack(box=header.box, stream=header.stream, epoch=header.epoch, through=0, at=iso(now))
    if isinstance(decision, Accept):
        return ack.model_copy(update={"through": decision.tip.seq})
    if isinstance(decision, Repeat):
        return ack.model_copy(update={"through": decision.through})
    if isinstance(decision, Gap):
        return ack.model_copy(update={"through": decision.through, "resend_from": decision.resend_from})
    return ack.model_copy(update={"quarantined": True})


def _with_own(handlers: Handlers) -> Handlers:
    kinds = {kind: [*OWN.get(kind, ()), *handlers.kinds.get(kind, ())] for kind in {*OWN, *handlers.kinds}}
    return replace(handlers, kinds=kinds)
