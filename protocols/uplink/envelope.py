"""Events as lines, lines as a chain, chains in batches (DESIGN 2.2, L-32).

An event is one line of compact JSON, made once by the box and never rewritten. Its hash is SHA-256 over the line's bytes, and the
next line carries it as `prev`: no party ever has to re-serialise anything to check a chain. A batch is a header line and
consecutive event lines, joined by newlines and compressed with zlib.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocols.errors import Refused
from protocols.time import ClockQuality

SCHEMA = 1
GENESIS = "0" * 64
MAX_BATCH_BYTES = 4 * 1024 * 1024
"""Bound of an unpacked batch; more is refused before it is unpacked."""

Stream = Literal["money", "series"]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Event(BaseModel):
    """One event. `(box, stream, epoch, seq)` is its identity; `prev` is the hash of its predecessor, GENESIS for seq 1.

    Fields that a later version may add are passed over: the line is kept as it came, and `v` says whether its body can be read.

    v          schema version of `body`
    epoch      64 random bits as 16 hex digits, made with the store
    boot       id of this boot; `mono_ms` counts from its start and never jumps
    at         wall clock, ISO 8601 with offset; `clock` says how far to trust it, `clock_error_ms` bounds it where known
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    v: int = Field(ge=1)
    box: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{2,39}$")
    stream: Stream
    epoch: str = Field(pattern=r"^[0-9a-f]{16}$")
    seq: int = Field(ge=1)
    prev: str = Field(pattern=r"^[0-9a-f]{64}$")
    boot: str = Field(min_length=1, max_length=40)
    mono_ms: int = Field(ge=0)
    at: str = Field(max_length=40)
    clock: ClockQuality
    clock_error_ms: int | None = Field(default=None, ge=0)
    kind: str = Field(pattern=r"^[a-z][a-z_]{1,39}$")
    body: dict[str, Any]


class BatchHeader(_Wire):
    """The first line of a batch: whose events, of which epoch, from which seq, how many."""

    v: int = Field(ge=1)
    box: str
    stream: Stream
    epoch: str = Field(pattern=r"^[0-9a-f]{16}$")
    first: int = Field(ge=1)
    count: int = Field(ge=1)


@dataclass(frozen=True, slots=True)
class Line:
    """An event with the very bytes it was made of."""

    event: Event
    raw: bytes
    hash: str


@dataclass(frozen=True, slots=True)
class Batch:
    header: BatchHeader
    lines: tuple[Line, ...]


def compact(value: object) -> bytes:
    """JSON without blanks, keys sorted, UTF-8: the form of every line and every signed document."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()


def line_hash(raw: bytes) -> str:
    """The hash by which the next event names this one."""
    return hashlib.sha256(raw).hexdigest()


def encode_line(event: Event) -> bytes:
    """The event's bytes, to be stored and sent as they are."""
    return compact(event.model_dump(mode="json", exclude_none=True))


def decode_line(raw: bytes) -> Line:
    """Bytes -> Line. Refused `bad_event` for anything that is not an event; an unknown kind or version is the reader's matter."""
    try:
        event = Event.model_validate_json(raw)
    except ValidationError as problem:
        raise Refused("bad_event", "事件格式不对", f"not an event: {problem.errors()[0]['msg']}") from None
    return Line(event, raw, line_hash(raw))


def encode_batch(box: str, stream: Stream, epoch: str, first: int, lines: Sequence[bytes]) -> bytes:
    """Consecutive lines, `first` being the seq of the first one, as one MQTT payload."""
    header = {"v": SCHEMA, "box": box, "stream": stream, "epoch": epoch, "first": first, "count": len(lines)}
    return zlib.compress(b"\n".join([compact(header), *lines]), 1)


def decode_batch(payload: bytes) -> Batch:
    """MQTT payload -> Batch, complete and contiguous within itself.

    Refused `bad_batch` (not a batch, too large, foreign JSON), `bad_event`, `broken_chain` (a line does not follow another).
    """
    header, raws = _unpack(payload)
    if header.count != len(raws):
        raise Refused("bad_batch", "批次不完整", f"header says {header.count} lines, found {len(raws)}")
    lines = tuple(decode_line(raw) for raw in raws)
    previous: Line | None = None
    for number, line in enumerate(lines, header.first):
        event = line.event
        if (event.box, event.stream, event.epoch, event.seq) != (header.box, header.stream, header.epoch, number):
            raise Refused("bad_batch", "批次里混有别的事件", f"line {number} belongs elsewhere")
        if previous is not None and event.prev != previous.hash:
            raise Refused("broken_chain", "事件链断开", f"event {number} does not follow its predecessor")
        previous = line
    return Batch(header, lines)


def _unpack(payload: bytes) -> tuple[BatchHeader, list[bytes]]:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(payload, MAX_BATCH_BYTES)
    except zlib.error:
        raise Refused("bad_batch", "批次读不出来", "not a compressed batch") from None
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise Refused("bad_batch", "批次太大或不完整", "batch too large or cut off")
    first, *rest = text.split(b"\n")
    try:
        return BatchHeader.model_validate_json(first), rest
    except ValidationError:
        raise Refused("bad_batch", "批次开头不对", "bad batch header") from None
