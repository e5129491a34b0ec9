"""What becomes of a batch: the table of `cloud/fleet/domain.py`, row by row, and a channel that misbehaves (L-32, B-08)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.fleet.domain import Accept, Deaf, Decision, Fork, Gap, Repeat, StreamState, Tip, decide, overlap
from protocols.errors import Refused
from protocols.uplink.envelope import decode_batch, decode_line
from tests.support.fleet import Chain

BOX = "fengqiao-01"


class Hub:
    """The table's left side: the state of one stream with the hashes of all that was stored."""

    def __init__(self) -> None:
        self.state = StreamState()
        self.hashes: dict[str, dict[int, str]] = {}
        self.stored: list[bytes] = []

    def take(self, payload: bytes) -> Decision:
        batch = decode_batch(payload)
        span = overlap(self.state, batch.header)
        known = self.hashes.setdefault(batch.header.epoch, {})
        stored = {seq: known[seq] for seq in range(span[0], span[1] + 1)} if span else {}
        decision = decide(self.state, batch, stored)
        if isinstance(decision, Accept):
            known.update((line.event.seq, line.hash) for line in decision.lines)
            self.stored += [line.raw for line in decision.lines]
            epochs = {**self.state.epochs, batch.header.epoch: decision.tip}
            self.state = StreamState(batch.header.epoch, epochs)
        elif isinstance(decision, Fork):
            self.state = replace(self.state, quarantined=True)
        return decision


def chain_of(count: int, stream: str = "money") -> Chain:
    chain = Chain(BOX, "money" if stream == "money" else "series")
    for number in range(count):
        chain.add("lane_note", {"lane": "n", "what": "call", "detail": str(number)})
    return chain


def held(count: int) -> tuple[Hub, Chain]:
    """A hub that holds `count` events of a chain of ten."""
    hub, chain = Hub(), chain_of(10)
    assert isinstance(hub.take(chain.batch(1, count)), Accept)
    return hub, chain


@pytest.mark.parametrize(
    ("first", "count", "expected"),
    [
        (5, 3, Accept),
        (3, 5, Accept),
        (1, 10, Accept),
        (1, 4, Repeat),
        (2, 2, Repeat),
        (6, 2, Gap),
        (10, 1, Gap),
    ],
)
def test_a_batch_of_the_current_epoch(first: int, count: int, expected: type[Decision]) -> None:
    hub, chain = held(4)
    decision = hub.take(chain.batch(first, count))
    assert isinstance(decision, expected)
    if isinstance(decision, Accept):
        assert [line.event.seq for line in decision.lines] == list(range(5, first + count))
        assert decision.tip == Tip(first + count - 1, decode_line(chain.lines[first + count - 2]).hash)
        assert not decision.opens
    elif isinstance(decision, Gap):
        assert decision == Gap(4, 5)
    else:
        assert decision == Repeat(4)


def other(chain: Chain, keep: int) -> Chain:
    """The same epoch with another history after `keep` events, as from a card copied then."""
    clone = Chain(chain.box, chain.stream, chain.epoch, chain.lines[:keep])
    for number in range(keep, 10):
        clone.add("lane_note", {"lane": "n", "what": "call", "detail": f"clone {number}"})
    return clone


@pytest.mark.parametrize(
    ("keep", "first", "count", "seq"), [(2, 1, 4, 3), (2, 3, 1, 3), (3, 5, 2, 5), (4, 5, 1, None), (0, 1, 1, 1)]
)
def test_another_history_under_the_same_identity_is_a_fork(keep: int, first: int, count: int, seq: int | None) -> None:
    """B-08. The last event of the hub may be the common one: then it is no fork yet."""
    hub, chain = held(4)
    decision = hub.take(other(chain, keep).batch(first, count))
    assert decision == Fork("fork", seq) if seq else isinstance(decision, Accept)


def test_quarantine_hears_nothing_not_even_the_honest_half() -> None:
    hub, chain = held(4)
    hub.take(other(chain, 2).batch(1, 4))
    assert hub.take(chain.batch(5, 2)) == Deaf()


def test_a_new_epoch_starts_at_one() -> None:
    """B-03: a reset box begins anew and its old sequence is closed."""
    hub, _ = held(4)
    fresh = chain_of(3)
    assert hub.take(fresh.batch(2, 2)) == Gap(0, 1)
    decision = hub.take(fresh.batch(1, 3))
    assert isinstance(decision, Accept)
    assert (decision.opens, decision.reset) == (True, True)


def test_the_first_epoch_is_no_reset() -> None:
    decision = Hub().take(chain_of(1).batch())
    assert isinstance(decision, Accept)
    assert (decision.opens, decision.reset) == (True, False)


def test_an_epoch_must_begin_at_genesis() -> None:
    stray = chain_of(1)
    stray.lines[0] = stray.lines[0].replace(b"0" * 64, b"1" * 64)
    with pytest.raises(Refused, match="broken_chain"):
        Hub().take(stray.batch())


def test_an_old_image_is_a_fork_but_a_late_message_is_not() -> None:
    """B-08: an earlier epoch that says something new is an old card; what was stored anyway is only late."""
    hub, old = held(4)
    hub.take(chain_of(2).batch())
    assert hub.take(old.batch(2, 3)) == Repeat(4)
    assert hub.take(old.batch(4, 2)) == Fork("old_epoch", 5)


def test_an_earlier_epoch_from_later_is_a_fork_too() -> None:
    hub, old = held(4)
    hub.take(chain_of(2).batch())
    assert hub.take(old.batch(8, 1)) == Fork("old_epoch", 8)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("make"), st.integers(1, 5)),
        st.tuples(st.just("send"), st.integers(1, 4)),
        st.tuples(st.just("lose"), st.integers(0, 3)),
        st.tuples(st.just("double"), st.integers(0, 3)),
        st.tuples(st.just("deliver"), st.integers(0, 3)),
        st.tuples(st.just("rewind"), st.integers(0, 6)),
    ),
    max_size=60,
)


class Channel:
    """Batches on their way: lost, doubled, delivered in any order; acknowledgements may be lost too (the box re-sends)."""

    def __init__(self) -> None:
        self.hub, self.chain, self.wire = Hub(), chain_of(0), list[bytes]()

    def make(self, count: int) -> None:
        for _ in range(count):
            self.chain.add("lane_note", {"lane": "n", "what": "call"})

    def send(self, count: int) -> None:
        if self.chain.waiting:
            self.wire.append(self.chain.batch(count=count))
            self.chain.acked = min(self.chain.acked + count, len(self.chain.lines))

    def lose(self, at: int) -> None:
        if self.wire:
            self.wire.pop(at % len(self.wire))

    def double(self, at: int) -> None:
        if self.wire:
            self.wire.append(self.wire[at % len(self.wire)])

    def deliver(self, at: int) -> None:
        if self.wire:
            self.answer(self.hub.take(self.wire.pop(at % len(self.wire))))

    def rewind(self, back: int) -> None:
        self.chain.acked = max(0, self.chain.acked - back)

    def answer(self, decision: Decision) -> None:
        assert not isinstance(decision, (Fork, Deaf)), "an honest box was quarantined"
        if isinstance(decision, Gap):
            self.chain.acked = decision.resend_from - 1


@given(steps)
def test_nothing_is_lost_or_doubled_whatever_the_channel_does(script: list[tuple[str, int]]) -> None:
    """L-32: each exactly once and in order."""
    channel = Channel()
    for verb, number in script:
        act: Callable[[int], None] = getattr(channel, verb)
        act(number)
        assert channel.hub.stored == channel.chain.lines[: len(channel.hub.stored)]
    channel.chain.acked = 0
    for _ in range(len(channel.chain.lines) + 1):
        if channel.chain.waiting:
            channel.answer(channel.hub.take(channel.chain.batch(count=7)))
            channel.chain.acked = max(channel.chain.acked, len(channel.hub.stored))
    assert channel.hub.stored == channel.chain.lines
