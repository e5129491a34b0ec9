"""What to do with a batch, given what the hub holds of that box's stream (L-32, B-08, DESIGN 2.2, 2.3). Pure.

| the hub holds | the batch | decision |
|---|---|---|
| quarantine | anything | Deaf |
| this epoch through n | begins after n + 1 | Gap, from n + 1 |
| this epoch through n | holds an event <= n with another hash | Fork |
| this epoch through n | ends at or before n | Repeat |
| this epoch through n | continues, n + 1 names another predecessor | Fork |
| this epoch through n | continues | Accept |
| nothing, or another epoch | of an epoch never seen, from 1 and from GENESIS | Accept, opening the epoch |
| nothing, or another epoch | of an epoch never seen, from later | Gap, from 1 |
| another epoch | of an earlier epoch, every event known | Repeat (a message that was late) |
| another epoch | of an earlier epoch, anything new | Fork (an old image or a clone came back) |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from protocols.errors import Refused
from protocols.uplink.envelope import GENESIS, Batch, BatchHeader, Line


@dataclass(frozen=True, slots=True)
class Tip:
    """The last event stored of an epoch: its seq and hash."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class StreamState:
    """What the hub holds of one stream of one box. `epochs`: the tip of every epoch ever accepted; `epoch` is the current one."""

    epoch: str | None = None
    epochs: Mapping[str, Tip] = field(default_factory=dict)
    quarantined: bool = False


@dataclass(frozen=True, slots=True)
class Accept:
    """Store these lines and acknowledge through the last. `opens`: the first of a new epoch; `reset`: it closes another."""

    lines: tuple[Line, ...]
    opens: bool = False
    reset: bool = False

    @property
    def tip(self) -> Tip:
        return Tip(self.lines[-1].event.seq, self.lines[-1].hash)


@dataclass(frozen=True, slots=True)
class Repeat:
    """Everything is stored already: acknowledge again."""

    through: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Something before this batch is missing: ask for it."""

    through: int
    resend_from: int


@dataclass(frozen=True, slots=True)
class Fork:
    """Two histories under one identity: quarantine the box, acknowledge nothing, alarm."""

    reason: str
    seq: int


@dataclass(frozen=True, slots=True)
class Deaf:
    """The box is in quarantine: nothing of it is taken."""


Decision = Accept | Repeat | Gap | Fork | Deaf


def overlap(state: StreamState, header: BatchHeader) -> tuple[int, int] | None:
    """First and last seq of the batch that are stored already: `decide` needs their hashes."""
    tip = state.epochs.get(header.epoch)
    if tip is None or header.first > tip.seq:
        return None
    return header.first, min(tip.seq, header.first + header.count - 1)


def decide(state: StreamState, batch: Batch, stored: Mapping[int, str]) -> Decision:
    """The decision of the table above; `stored` are the hashes of `overlap`.

    Refused `broken_chain` for a first event that does not begin at GENESIS.
    """
    if state.quarantined:
        return Deaf()
    tip = state.epochs.get(batch.header.epoch)
    if tip is None:
        return _unseen(state, batch)
    for line in batch.lines:
        if line.event.seq <= tip.seq and stored.get(line.event.seq) != line.hash:
            return Fork("fork", line.event.seq)
    fresh = tuple(line for line in batch.lines if line.event.seq > tip.seq)
    if not fresh:
        return Repeat(tip.seq)
    if batch.header.epoch != state.epoch:
        return Fork("old_epoch", fresh[0].event.seq)
    if fresh[0].event.seq > tip.seq + 1:
        return Gap(tip.seq, tip.seq + 1)
    if fresh[0].event.prev != tip.hash:
        return Fork("fork", fresh[0].event.seq)
    return Accept(fresh)


def _unseen(state: StreamState, batch: Batch) -> Decision:
    first = batch.lines[0].event
    if first.seq > 1:
        return Gap(0, 1)
    if first.prev != GENESIS:
        raise Refused("broken_chain", "事件链的开头不对", "the first event of an epoch must follow GENESIS")
    return Accept(batch.lines, opens=True, reset=state.epoch is not None)
