"""A small fake box: an event chain for each stream, batches, what it does with an acknowledgement, session beats."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cloud.fleet import service as fleet
from cloud.shared.db import Database, Scope
from protocols.time import SHANGHAI, ClockQuality, iso
from protocols.uplink.acks import Ack
from protocols.uplink.commands import SessionBeat, encode_beat
from protocols.uplink.envelope import GENESIS, Event, Stream, encode_batch, encode_line, line_hash
from protocols.uplink.events import Body, Boot, LaneNote, Payment, Reading, Readings, kind_of

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=SHANGHAI)


def new_epoch() -> str:
    return secrets.token_hex(8)


@dataclass
class Chain:
    """One stream of a box: every line it ever made, how far the hub has acknowledged, where to send from."""

    box: str
    stream: Stream
    epoch: str = field(default_factory=new_epoch)
    lines: list[bytes] = field(default_factory=list)
    acked: int = 0
    quarantined: bool = False

    @property
    def tip(self) -> str:
        return line_hash(self.lines[-1]) if self.lines else GENESIS

    def add(self, kind: str, body: dict[str, Any], *, version: int = 1, at: str = iso(NOON)) -> int:
        """Store one event as the box would; its seq."""
        event = Event(
            v=version,
            box=self.box,
            stream=self.stream,
            epoch=self.epoch,
            seq=len(self.lines) + 1,
            prev=self.tip,
            boot="boot-1",
            mono_ms=len(self.lines) * 10,
            at=at,
            clock=ClockQuality.SYNCED,
            kind=kind,
            body=body,
        )
        self.lines.append(encode_line(event))
        return event.seq

    def batch(self, first: int | None = None, count: int = 500) -> bytes:
        """A payload from `first` (default: the first not acknowledged)."""
        start = self.acked + 1 if first is None else first
        lines = self.lines[start - 1 : start - 1 + count]
        return encode_batch(self.box, self.stream, self.epoch, start, lines)

    def heard(self, ack: Ack) -> None:
        """What a box does with an acknowledgement of this stream."""
        if (ack.box, ack.stream, ack.epoch) != (self.box, self.stream, self.epoch):
            return
        self.quarantined = ack.quarantined
        self.acked = max(self.acked, ack.through)
        if ack.resend_from is not None:
            self.acked = ack.resend_from - 1

    @property
    def waiting(self) -> int:
        return len(self.lines) - self.acked


class FakeBox:
    """A box as the hub sees it."""

    def __init__(self, box: str = "fengqiao-01") -> None:
        self.box = box
        self.money = Chain(box, "money")
        self.series = Chain(box, "series")

    def chain(self, stream: Stream) -> Chain:
        return self.money if stream == "money" else self.series

    def add(self, *bodies: Body) -> None:
        """Store bodies as events of their streams."""
        for body in bodies:
            kind, stream = kind_of(body)
            self.chain("money" if stream == "money" else "series").add(kind, body.model_dump(mode="json", exclude_none=True))

    def clone(self) -> FakeBox:
        """The same box from a copy of its card."""
        return copy.deepcopy(self)

    def reset(self) -> None:
        """Factory reset: new epochs, nothing left."""
        self.money = Chain(self.box, "money")
        self.series = Chain(self.box, "series")

    def beat(self, nonce: str | None = None, **health: Any) -> bytes:
        """A session beat with a fresh nonce."""
        return encode_beat(
            SessionBeat(
                box=self.box, boot="boot-1", nonce=nonce or secrets.token_hex(16), at=iso(NOON), clock="synced", health=health
            )
        )


def boot(version: str = "0.1.0") -> Boot:
    return Boot(version=version, cause="start")


def note(detail: str, lane: str = "n-out") -> LaneNote:
    return LaneNote(lane=lane, what="call", detail=detail)


def payment(number: int = 1, fen: int = 900, book: str = "fq-01", **more: Any) -> Payment:
    facts: dict[str, Any] = {"payment": f"p{number}", "stay": f"stay-{number}"} | more
    return Payment(
        lane="n-out", plate="京A12345", amount_fen=fen, tender="cash", operator="3001", book=book, number=number, **facts
    )


def readings(round_: str, items: int = 3, bus: str = "bus-1") -> Readings:
    found: Sequence[Reading] = [
        Reading(meter=f"m{number:04d}", quantity="energy", value=f"{number}.5", unit="kWh", at=iso(NOON))
        for number in range(items)
    ]
    return Readings(bus=bus, round=round_, items=list(found))


async def register(db: Database, box: str = "fengqiao-01", project: int = 11, company: int = 1, at: datetime = NOON) -> str:
    """Register a box; its claim code."""
    async with db.tx(Scope(frozenset({company}))) as tx:
        return await fleet.register(tx, box, project, "0001", at)


async def stored(db: Database, box: str = "fengqiao-01", stream: str = "money") -> list[tuple[str, int]]:
    """(epoch, seq) of every event the hub holds of a stream, by what `counts` recounted and what the chain's proof says."""
    async with db.tx(Scope(frozenset({1, 2}))) as tx:
        counts = await fleet.counts(tx)
        assert await fleet.verify(tx) == []
    return [(epoch, found["rows"]) for epoch, found in counts["boxes"][box][stream]["epochs"].items()]
