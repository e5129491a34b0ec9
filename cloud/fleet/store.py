"""SQL of streams: where each stands, its events, what was refused (the rest is in `store_boxes` and `store_documents`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cloud.fleet.domain import StreamState, Tip
from cloud.fleet.handling import Place, SetAside
from cloud.shared.db import Database, Tx
from protocols.uplink.envelope import BatchHeader, Line


async def place_of(db: Database, box: str) -> Place | None:
    """Box -> where it stands, before any scope is known."""
    row = await db.call("select company_id, project_id from fleet_box(%s)", (box,))
    return Place(box, row["company_id"], row["project_id"]) if row else None


async def lock_stream(tx: Tx, box: str, stream: str) -> StreamState | None:
    """Lock the stream until the transaction ends and read where it stands; None outside the scope."""
    rows = await tx.fetch_all("select * from fleet_lock_stream(%s, %s)", (box, stream))
    if not rows:
        return None
    epochs = {row["epoch"]: Tip(row["seq"], row["hash"]) for row in rows if row["epoch"] is not None}
    return StreamState(rows[0]["current_epoch"], epochs, rows[0]["quarantined"])


async def hashes(tx: Tx, header: BatchHeader, first: int, last: int) -> dict[int, str]:
    """seq -> hash of stored events."""
    rows = await tx.fetch_all(
        "select seq, encode(hash, 'hex') as hash from box_events"
        " where box = %s and stream = %s and epoch = %s and seq between %s and %s",
        (header.box, header.stream, header.epoch, first, last),
    )
    return {row["seq"]: row["hash"] for row in rows}


async def store_events(tx: Tx, place: Place, lines: Sequence[Line], now: datetime) -> None:
    """Keep lines as the box made them: one statement, whatever their number."""
    head = lines[0].event
    await tx.execute(
        "insert into box_events (box, stream, epoch, seq, company_id, project_id, kind, received_at, hash, raw)"
        " select %b, %b, %b, line.seq, %b, %b, line.kind, %b, decode(line.hash, 'hex'), line.raw"
        " from unnest(%b::bigint[], %b::text[], %b::text[], %b::text[]) as line (seq, kind, hash, raw)",
        (
            place.box,
            head.stream,
            head.epoch,
            place.company_id,
            place.project_id,
            now,
            [line.event.seq for line in lines],
            [line.event.kind for line in lines],
            [line.hash for line in lines],
            [line.raw.decode() for line in lines],
        ),
    )


async def set_tip(tx: Tx, place: Place, header: BatchHeader, tip: Tip, now: datetime, *, opens: bool) -> None:
    """Move the epoch's tip; `opens` makes the epoch the current one."""
    if opens:
        await tx.execute(
            "update box_streams set epoch = %s where box = %s and stream = %s", (header.epoch, place.box, header.stream)
        )
        await tx.execute(
            "insert into box_epochs (box, stream, epoch, company_id, project_id, opened_at, last_at, seq, hash)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, decode(%s, 'hex'))",
            (place.box, header.stream, header.epoch, place.company_id, place.project_id, now, now, tip.seq, tip.hash),
        )
        return
    await tx.execute(
        "update box_epochs set seq = %s, hash = decode(%s, 'hex'), last_at = %s where box = %s and stream = %s and epoch = %s",
        (tip.seq, tip.hash, now, place.box, header.stream, header.epoch),
    )


async def quarantine(tx: Tx, box: str, reason: str | None, now: datetime) -> None:
    """Put a box into quarantine (the first reason stays), or with None take it out."""
    if reason is None:
        await tx.execute("update boxes set quarantined_at = null, quarantine_reason = null where id = %s", (box,))
        return
    await tx.execute(
        "update boxes set quarantined_at = %s, quarantine_reason = %s where id = %s and quarantined_at is null",
        (now, reason, box),
    )


async def note(tx: Tx, place: Place, what: str, detail: Mapping[str, object], now: datetime) -> None:
    await tx.execute(
        "insert into box_notes (box, company_id, project_id, at, what, detail) values (%s, %s, %s, %s, %s, %s::jsonb)",
        (place.box, place.company_id, place.project_id, now, what, json.dumps(detail, ensure_ascii=False)),
    )


async def alarm(tx: Tx, place: Place, what: str, detail: Mapping[str, object], now: datetime) -> None:
    """Kept as a note of the box, and told to whoever watches."""
    await note(tx, place, what, detail, now)
    await tx.notify("alarm", {"what": what, "box": place.box, "project_id": place.project_id, **detail})


async def set_aside(tx: Tx, place: Place, refused: Sequence[SetAside], now: datetime) -> None:
    for one in refused:
        event, problem = one.event, one.problem
        await tx.execute(
            "insert into box_refused (box, stream, epoch, seq, company_id, project_id, kind, received_at, code, zh, en, field,"
            " amount_fen, suspended) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                *(place.box, event.stream, event.epoch, event.seq, place.company_id, place.project_id, event.kind, now),
                *(problem.code, _text(problem.zh), _text(problem.en), _text(problem.field), one.amount_fen, one.suspended),
            ),
        )


def _text(words: str | None) -> str | None:
    """What a refusal says may quote the event, and an event may hold what PostgreSQL cannot: NUL."""
    return words if words is None else words[:500].replace("\0", "\ufffd")


async def count_bad(db: Database, box: str, code: str, payload: bytes, now: datetime) -> None:
    """Count a message that was no event, with the beginning of the last one."""
    await db.call("select fleet_count_bad(%s, %s, %s, %s)", (box, code, now, payload[:256]))


async def refused(tx: Tx, limit: int) -> list[dict[str, Any]]:
    """Events set aside, newest first."""
    return await tx.fetch_all(
        "select r.box, r.project_id, r.stream, r.epoch, r.seq, r.kind, r.received_at, r.code, r.zh, r.en, r.field, r.amount_fen,"
        " r.suspended, e.raw from box_refused r join box_events e using (box, stream, epoch, seq) order by r.id desc limit %s",
        (limit,),
    )


async def count_epochs(tx: Tx) -> list[dict[str, Any]]:
    """One row an epoch, recounted from the raw events: rows, max_seq, and the hash of the last line computed again."""
    return await tx.fetch_all(
        "select e.box, e.stream, e.epoch, e.rows, e.max_seq, encode(sha256(convert_to(last.raw, 'UTF8')), 'hex') as hash"
        " from (select box, stream, epoch, count(*) as rows, max(seq) as max_seq from box_events group by 1, 2, 3) e"
        " join box_events last on (last.box, last.stream, last.epoch, last.seq) = (e.box, e.stream, e.epoch, e.max_seq)"
    )


async def count_kinds(tx: Tx) -> dict[str, int]:
    rows = await tx.fetch_all("select kind, count(*) as n from box_events group by kind")
    return {row["kind"]: row["n"] for row in rows}


async def count_boxes(tx: Tx) -> list[dict[str, Any]]:
    return await tx.fetch_all(
        "select b.id as box, b.quarantined_at is not null as quarantined,"
        " (select count(*) from box_refused r where r.box = b.id) as refused from boxes b"
    )


async def lines_after(tx: Tx, after: tuple[str, str, str, int], limit: int) -> list[dict[str, Any]]:
    """Raw events in the order of their chains, beginning after (box, stream, epoch, seq)."""
    return await tx.fetch_all(
        "select box, stream, epoch, seq, encode(hash, 'hex') as hash, raw from box_events"
        " where (box, stream, epoch, seq) > (%s, %s, %s, %s) order by box, stream, epoch, seq limit %s",
        (*after, limit),
    )
