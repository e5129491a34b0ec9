"""Events become lines of their stream's chain (L-32): numbered without gaps, each naming its predecessor's hash."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from edge.ports import Clock
from edge.storage.schema import TABLES
from protocols.errors import GatehouseError, Stop
from protocols.time import WallTime, iso, parse_instant
from protocols.uplink.envelope import GENESIS, SCHEMA, Stream, compact, decode_line, line_hash
from protocols.uplink.events import Body, kind_of


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest line of a stream: seq 0 and GENESIS before the first."""

    seq: int = 0
    hash: str = GENESIS
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has its place: stamped when it happened, numbered when it is stored."""

    stream: Stream
    at: datetime
    fields: dict[str, Any]


def draft(body: Body, clock: Clock) -> Draft:
    """The event as it will be written, without epoch, seq and prev. Values that are the schema's defaults are left out."""
    kind, stream = kind_of(body)
    wall: WallTime = clock.wall()
    fields: dict[str, Any] = {
        "v": SCHEMA,
        "stream": stream,
        "boot": clock.boot,
        "mono_ms": clock.mono_ms(),
        "at": iso(wall.at),
        "clock": wall.quality.value,
        "kind": kind,
        "body": body.model_dump(mode="json", exclude_defaults=True),
    }
    if wall.error_ms is not None:
        fields["clock_error_ms"] = wall.error_ms
    return Draft(stream, wall.at, fields)


def place(event: Draft, box: str, epoch: str, tip: Tip) -> tuple[bytes, Tip]:
    """The line that follows `tip`, and the new tip. It holds the same bytes as `envelope.encode_line` would make."""
    raw = compact({**event.fields, "box": box, "epoch": epoch, "seq": tip.seq + 1, "prev": tip.hash})
    return raw, Tip(tip.seq + 1, line_hash(raw), event.at)


def read_tip(connection: sqlite3.Connection, stream: Stream, box: str, epoch: str) -> Tip:
    """The stored chain's end. Stop `store_corrupt` when its last lines do not hang together."""
    newest = connection.execute(f"select seq, line from {TABLES[stream]} order by seq desc limit 2").fetchall()
    if not newest:
        return Tip()
    try:
        lines = [decode_line(raw) for _, raw in newest]
        at = parse_instant(lines[0].event.at)
    except GatehouseError as problem:
        raise corrupt(str(problem)) from None
    for (seq, _), line in zip(newest, lines, strict=True):
        if (line.event.box, line.event.stream, line.event.epoch, line.event.seq) != (box, stream, epoch, seq):
            raise corrupt(f"row {seq} of {stream} holds another event")
    if len(lines) == 2 and lines[0].event.prev != lines[1].hash:
        raise corrupt(f"event {newest[0][0]} of {stream} does not follow its predecessor")
    return Tip(newest[0][0], lines[0].hash, at)


def instant_of(raw: bytes) -> datetime:
    """When a stored line happened."""
    return parse_instant(json.loads(raw)["at"])


def corrupt(detail: str) -> Stop:
    """The refusal of a damaged store: nothing is repaired or moved without a person's word."""
    return Stop(
        "store_corrupt",
        "事件库损坏，程序停止。请先备份数据目录，再用 set-aside 命令移开它",
        f"the store is damaged: {detail}; back it up, then move it away with `gatehouse-edge set-aside`",
    )
