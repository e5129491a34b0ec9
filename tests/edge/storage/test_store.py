"""The store: chain, state, outbox, bounds, and what it refuses to open (L-32, L-33, L-37, B-08)."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.storage import schema
from edge.storage.store import Store, read_status
from protocols.errors import Refused, Stop
from protocols.time import ClockQuality
from protocols.uplink.acks import Head
from protocols.uplink.documents import Manifest, reference
from protocols.uplink.envelope import GENESIS, decode_batch, decode_line, encode_batch, encode_line
from protocols.uplink.events import DocumentsSet, Passage, parse_body
from tests.support.edge import BOX, START, StepClock, note, open_store, round_of, running_store


def lines_of(store: Store, stream: str = "money", after: int = 0) -> list[bytes]:
    return [raw for _, raw in store.batch(stream, after, 100_000, 1 << 30)]  # type: ignore[arg-type]


async def test_events_get_gapless_numbers_and_a_chain(tmp_path: Path) -> None:
    """L-32: seq without gaps, each naming its predecessor, per stream, stamped at the call."""
    clock = StepClock()
    async with running_store(tmp_path, clock) as store:
        assert await store.append(note(1)) == 1
        clock.step(2)
        assert await store.append_many([note(2), round_of(1), note(3)]) == [2, 1, 3]
        raws = lines_of(store)
        lines = [decode_line(raw) for raw in raws]
        assert [line.event.seq for line in lines] == [1, 2, 3]
        assert lines[0].event.prev == GENESIS
        assert [line.event.prev for line in lines[1:]] == [line.hash for line in lines[:-1]]
        assert [line.event.mono_ms for line in lines] == [1_000, 3_000, 3_000]
        assert store.status("money").hash == lines[-1].hash
        assert store.status("money").epoch != store.status("series").epoch
        assert store.last_instant() == START + timedelta(seconds=2)
        batch = decode_batch(encode_batch(BOX, "money", store.status("money").epoch, 1, raws))
        assert len(batch.lines) == 3
        assert all(encode_line(line.event) == line.raw for line in lines), "the very bytes the shared code would write"


async def test_a_required_empty_field_reaches_the_hub(tmp_path: Path) -> None:
    """What is left out are defaults only: the hub's model must read every line."""
    body = Passage(lane="L1", direction="in", stay="s1", plate=None, category="casual")
    async with running_store(tmp_path) as store:
        await store.append(body)
        event = decode_line(lines_of(store)[0]).event
        assert parse_body(event.v, event.kind, event.body) == body


async def test_state_lives_and_dies_with_its_events(tmp_path: Path) -> None:
    """Journal: events and state in one transaction; None deletes; both are there after a restart."""
    async with running_store(tmp_path) as store:
        await store.append_many([note()], {"stay/1": b"a", "stay/2": b"b", "drawer": b"c"})
        await store.append_many([], {"stay/2": None})
        assert store.states("stay/") == {"stay/1": b"a"}
        epoch = store.status("money").epoch
    async with running_store(tmp_path) as store:
        assert store.states("") == {"stay/1": b"a", "drawer": b"c"}
        assert store.state("drawer") == b"c" and store.state("none") is None
        assert store.status("money").epoch == epoch
        assert await store.append(note()) == 2
        assert store.last_instant() == START


async def test_500_appends_at_once_share_commits(tmp_path: Path) -> None:
    """Group commit: all that waits goes in one transaction, in the order of the calls."""
    async with running_store(tmp_path) as store:
        seqs = await asyncio.gather(*(store.append(note(n)) for n in range(500)))
        assert seqs == list(range(1, 501))
        assert store.writer_health.commits < 50
        details = [decode_line(raw).event.body["detail"] for raw in lines_of(store)]
        assert details == [str(n) for n in range(500)]


@given(st.lists(st.lists(st.integers(0, 2), max_size=4), min_size=1, max_size=12), st.integers(0, 11))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_chain_holds_for_any_mix_over_restarts(
    tmp_path_factory: pytest.TempPathFactory, calls: list[list[int]], cut: int
) -> None:
    """L-32 as a property: whatever is appended, with a restart anywhere, both streams read back as one chain each."""
    folder = tmp_path_factory.mktemp("chain")

    async def run(part: list[list[int]]) -> list[list[int]]:
        store = open_store(folder)
        pending = [store.append_many([note() if kind else round_of() for kind in call]) for call in part]
        found = await asyncio.gather(*pending)
        await store.close()
        return found

    asyncio.run(run(calls[:cut]))
    asyncio.run(run(calls[cut:]))
    with contextlib.closing(schema.connect_reader(folder)) as connection:
        for stream, kinds in (("money", (1, 2)), ("series", (0,))):
            raws = [raw for (raw,) in connection.execute(f"select line from {schema.TABLES[stream]} order by seq")]
            assert len(raws) == sum(kind in kinds for call in calls for kind in call)
            if raws:
                epoch = decode_line(raws[0]).event.epoch
                decode_batch(encode_batch(BOX, stream, epoch, 1, raws))  # type: ignore[arg-type]


async def test_the_outbox_reads_on_from_what_is_acknowledged(tmp_path: Path) -> None:
    """DESIGN 2.3: acknowledged through n, persistent, never backwards, and only for the own epoch."""
    async with running_store(tmp_path) as store:
        await store.append_many([note(n) for n in range(10)])
        epoch = store.status("money").epoch
        assert [seq for seq, _ in store.batch("money", 4, 3, 1 << 20)] == [5, 6, 7]
        assert [seq for seq, _ in store.batch("money", 4, 9, 1)] == [5], "one line always fits"
        assert store.acknowledged("money", epoch, 6)
        assert not store.acknowledged("money", epoch, 5)
        assert not store.acknowledged("money", "f" * 16, 9)
        with pytest.raises(Stop, match="hub_ahead"):
            store.acknowledged("money", epoch, 11)
    assert read_status(tmp_path)["money"]["acked"] == 6  # type: ignore[index]


async def test_a_restored_hub_gets_what_it_lost(tmp_path: Path) -> None:
    """DESIGN 2.3: back as far as kept, and the acknowledgement goes back with it so that nothing is pruned meanwhile."""
    async with running_store(tmp_path) as store:
        await store.append_many([note(n) for n in range(10)])
        epoch = store.status("money").epoch
        store.acknowledged("money", epoch, 10)
        await store.flush()
        assert await store.resend_from("money", epoch, 4) == 4
        assert store.status("money").acked == 3
        assert await store.resend_from("money", "0" * 16, 1) == 4, "another epoch changes nothing"
        assert store.status("money").acked == 3


async def test_acknowledged_events_stay_14_days_and_the_newest_for_ever(tmp_path: Path) -> None:
    """DESIGN 2.3: kept 14 days after the acknowledgement, however old the event; pruned in small steps."""
    clock = StepClock()
    async with running_store(tmp_path, clock) as store:
        epoch = store.status("money").epoch
        await store.append_many([note(n) for n in range(1_200)])
        clock.step(30 * 86_400)
        store.acknowledged("money", epoch, 1_100)
        await store.flush()
        clock.step(13 * 86_400)
        await store.housekeep()
        assert len(lines_of(store)) == 1_200
        clock.step(2 * 86_400)
        clock.quality = ClockQuality.UNCERTAIN
        await store.housekeep()
        assert len(lines_of(store)) == 1_200, "a wrong clock must not make young events look old"
        clock.quality = ClockQuality.SYNCED
        await store.housekeep()
        assert [seq for seq, _ in store.batch("money", 0, 1, 1)] == [1_101]
        assert await store.resend_from("money", epoch, 5) == 1_101
        store.acknowledged("money", epoch, 1_200)
        await store.flush()
        clock.step(15 * 86_400)
        await store.housekeep()
        assert [seq for seq, _ in store.batch("money", 0, 9, 1)] == [1_200], "the chain goes on from the newest"
        assert await store.append(note()) == 1_201


async def test_readings_are_bounded_by_90_days(tmp_path: Path) -> None:
    """L-32: what waits longer than 90 days for the hub stops new readings, never money; an acknowledgement frees them."""
    clock = StepClock()
    async with running_store(tmp_path, clock) as store:
        await store.append(round_of())
        clock.step(91 * 86_400)
        await store.housekeep()
        with pytest.raises(Exception, match="store_unavailable"):
            await store.append(round_of())
        assert await store.append(note()) == 1
        store.acknowledged("series", store.status("series").epoch, 1)
        await store.housekeep()
        assert await store.append(round_of()) == 2


async def test_money_is_bounded_by_500_000(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """L-32: the bound is told as Retry `store_unavailable`, and nothing of that call is stored."""
    monkeypatch.setattr("edge.storage.store.MONEY_EVENTS", 3)
    async with running_store(tmp_path) as store:
        await store.append_many([note(n) for n in range(3)])
        with pytest.raises(Exception, match="store_unavailable"):
            await store.append_many([note()], {"key": b"value"})
        assert store.state("key") is None and store.status("money").seq == 3


async def test_one_bad_call_does_not_hurt_its_neighbours(tmp_path: Path) -> None:
    """A refusal inside a shared transaction is the caller's alone."""
    async with running_store(tmp_path) as store:
        def refuse(change: object) -> None:
            raise Refused("no", "不行")

        first, bad, second = await asyncio.gather(
            store.append(note(1)), store._writer.submit(refuse), store.append(note(2)), return_exceptions=True
        )
        assert (first, second) == (1, 2) and isinstance(bad, Refused)


async def test_documents_switch_as_one(tmp_path: Path) -> None:
    """L-37: all bodies or none; what is no longer named is gone; the switch is an event of the same transaction."""
    lanes, passes, newer = b"{lanes}", b"{passes}", b"{passes 2}"
    when = "2026-11-24T00:00:00+08:00"
    one = Manifest(box=BOX, generation=1, n=1, documents=(reference("lanes", lanes, when), reference("passes", passes, when)))
    two = Manifest(box=BOX, generation=1, n=2, documents=(reference("lanes", lanes, when), reference("passes", newer, when)))

    def hashed(*bodies: bytes) -> dict[str, bytes]:
        return {reference("lanes", body, when).sha256: body for body in bodies}

    async with running_store(tmp_path) as store:
        with pytest.raises(Refused, match="body_missing"):
            await store.switch(one, hashed(lanes))
        with pytest.raises(Refused, match="wrong_body"):
            await store.switch(one, hashed(lanes, passes) | {next(iter(hashed(lanes))): b"{other}"})
        assert store.document("lanes") is None and store.manifest == (0, 0)
        assert await store.switch(one, hashed(lanes, passes)) == {"lanes", "passes"}
        assert await store.switch(two, hashed(newer)) == {"passes"}
    async with running_store(tmp_path) as store:
        assert (store.document("lanes"), store.document("passes")) == (lanes, newer)
        assert store.manifest == (1, 2)
        told = [decode_line(raw).event for raw in lines_of(store)]
        assert [parse_body(1, event.kind, event.body) for event in told] == [
            DocumentsSet(generation=1, n=1), DocumentsSet(generation=1, n=2)
        ]  # fmt: skip
    with contextlib.closing(schema.connect_reader(tmp_path)) as connection:
        assert connection.execute("select count(*) from document").fetchone() == (2,)


async def test_witnesses_are_append_only_and_notice_rewritten_history(tmp_path: Path) -> None:
    """DESIGN 3: heads of the ledger are kept, never changed, not even by SQL; another hash for the same entry is counted."""
    clock = StepClock()
    async with running_store(tmp_path, clock) as store:
        await store.witness([Head(project=11, seq=5, hash="a" * 64)])
        await store.witness([Head(project=11, seq=6, hash="b" * 64)])
        clock.step(31)
        await store.witness([Head(project=11, seq=5, hash="a" * 64), Head(project=12, seq=1, hash="c" * 64)])
        assert store.witness_conflicts == 0
        clock.step(31)
        await store.witness([Head(project=11, seq=5, hash="d" * 64)])
        assert store.witness_conflicts == 1
    with contextlib.closing(sqlite3.connect(tmp_path / schema.FILE)) as connection:
        kept = connection.execute("select project, seq from witness order by id").fetchall()
        assert kept == [(11, 5), (12, 1), (11, 5)]
        for change in ("update witness set hash = ''", "delete from witness"):
            with pytest.raises(sqlite3.IntegrityError, match="witnesses are never"):
                connection.execute(change)


async def test_status_is_read_beside_a_running_box_and_after_it(tmp_path: Path) -> None:
    async with running_store(tmp_path) as store:
        await store.append(note())
        live = read_status(tmp_path)
        assert live["box"] == BOX and live["money"]["seq"] == 1  # type: ignore[index]
        assert live["money"]["hash"] == store.status("money").hash  # type: ignore[index]
    assert read_status(tmp_path)["money"] == live["money"]
    with pytest.raises(Stop, match="no_store"):
        read_status(tmp_path / "elsewhere")


# ---- what is refused ----


async def test_two_writers_are_refused(tmp_path: Path) -> None:
    """Two processes on one store would fork the chain (B-08)."""
    async with running_store(tmp_path):
        with pytest.raises(Stop, match="store_in_use"):
            open_store(tmp_path)


async def test_foreign_newer_and_other_files_are_refused_untouched(tmp_path: Path) -> None:
    """L-33: never guess: a file that is not ours is left byte for byte as it is."""
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    with contextlib.closing(sqlite3.connect(foreign / schema.FILE)) as connection:
        connection.execute("create table other (x)")
        connection.commit()
    before = (foreign / schema.FILE).read_bytes()
    with pytest.raises(Stop, match="store_foreign"):
        open_store(foreign)
    assert (foreign / schema.FILE).read_bytes() == before

    ours = tmp_path / "ours"
    async with running_store(ours):
        pass
    with pytest.raises(Stop, match="store_of_other_box"):
        open_store(ours, box="box-02")
    with contextlib.closing(sqlite3.connect(ours / schema.FILE)) as connection:
        connection.execute("pragma user_version = 2")
    with pytest.raises(Stop, match="store_newer"):
        open_store(ours)


@pytest.mark.parametrize("damage", ["garbage", "tip", "row"])
async def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    """L-33: a clear Stop; nothing is repaired or moved by itself."""
    async with running_store(tmp_path) as store:
        await store.append_many([note(n) for n in range(50)])
    path = tmp_path / schema.FILE
    if damage == "garbage":
        path.write_bytes(b"not a database at all" * 1000)
    else:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            if damage == "tip":
                connection.execute("update event_money set line = x'00' where seq = 50")
            else:
                connection.execute("delete from event_money where seq = 49")
                connection.execute("update event_money set seq = 49 where seq = 48")
            connection.commit()
    with pytest.raises(Stop, match="store_corrupt"):
        open_store(tmp_path)
    assert path.exists()
