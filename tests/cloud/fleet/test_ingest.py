"""Batches against the real database: exactly once, in order, committed before acknowledged (L-32, B-08, DESIGN 2.3, 2.4)."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from cloud.app import event_handlers
from cloud.fleet import service as fleet
from cloud.fleet.service import BoxEvent, Handlers, ingest
from cloud.ledger import service as ledger
from cloud.shared.db import Database, Scope, Tx
from protocols.errors import Refused, Retry
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import compact, encode_batch
from protocols.uplink.events import LaneNote, Passage, Readings, Stroke
from tests.support.fleet import NOON, FakeBox, boot, note, payment, readings, register, stored
from tests.support.hub import Admin

EAST = Scope(frozenset({1}))
BOX = "fengqiao-01"
LATER = NOON + timedelta(seconds=7)


class Told:
    """A handler that remembers, in a table of its own, what it was told: the database decides what really happened."""

    def __init__(self, refuse: Sequence[str] = ()) -> None:
        self.refuse = set(refuse)
        self.calls: list[list[int]] = []

    async def __call__(self, tx: Tx, events: Sequence[BoxEvent]) -> None:
        self.calls.append([event.seq for event in events])
        for event in events:
            assert isinstance(event.body, LaneNote)
            if event.body.detail in self.refuse:
                raise Refused("not_ours", "不收", "not taken")
            await tx.execute("insert into told (seq, detail) values (%s, %s)", (event.seq, event.body.detail))


@pytest.fixture
async def hub(money_db: Database, money_admin: Admin) -> Database:
    money_admin.execute("create table told (seq bigint, detail text); grant select, insert on told to gatehouse_app")
    await register(money_db)
    return money_db


async def told(db: Database) -> list[tuple[int, str]]:
    async with db.tx(EAST) as tx:
        return [(row["seq"], row["detail"]) for row in await tx.fetch_all("select * from told order by seq")]


async def refused(db: Database) -> list[dict[str, Any]]:
    async with db.tx(EAST) as tx:
        return await tx.fetch_all("select seq, kind, code, amount_fen, suspended from box_refused order by seq")


async def send(db: Database, payload: bytes, handlers: Handlers | None = None, box: str = BOX) -> Ack:
    return await ingest(db, box, payload, handlers or Handlers(), LATER)


def lane(*details: str) -> FakeBox:
    box = FakeBox(BOX)
    box.add(*(note(detail) for detail in details))
    return box


@pytest.mark.parametrize(
    "bad",
    [
        Passage(lane="n-in", direction="in", stay="s1", plate="京" * 9_000, category="casual"),
        Stroke(lane="n" * 9_000, n=1, reason="none"),
        Stroke(lane="n-in", n=10**30, reason="paid"),
        LaneNote(lane="n-in", what="call", stay="".join(map(str, range(5_000))), plate="x", detail="a\x00b"),
    ],
    ids=["plate", "lane", "number", "stay"],
)
async def test_an_event_of_any_size_never_blocks_a_box(hub: Database, bad: Passage | Stroke | LaneNote) -> None:
    """DESIGN 2.4: what neither an index nor a notice can hold is set aside, its neighbours are taken."""
    box = lane("before")
    box.add(bad, note("after"))
    ack = await send(hub, box.money.batch(), event_handlers())
    assert ack.through == 3
    assert [(row["seq"], row["code"]) for row in await refused(hub)] in ([(2, "too_long")], [(2, "bad_data")])


async def test_a_batch_is_stored_as_the_box_made_it_and_acknowledged(hub: Database) -> None:
    box = lane("a", "b", "三")
    ack = await send(hub, box.money.batch())
    assert (ack.box, ack.stream, ack.epoch, ack.through, ack.resend_from) == (BOX, "money", box.money.epoch, 3, None)
    async with hub.tx(EAST) as tx:
        rows = await tx.fetch_all("select raw, encode(hash, 'hex') as hash, kind, received_at from box_events order by seq")
        counts = await fleet.counts(tx)
    assert [row["raw"].encode() for row in rows] == box.money.lines
    assert (rows[-1]["hash"], rows[-1]["kind"], rows[-1]["received_at"]) == (box.money.tip, "lane_note", LATER)
    assert counts == {
        "boxes": {
            BOX: {
                "money": {"epochs": {box.money.epoch: {"rows": 3, "max_seq": 3, "hash": box.money.tip}}},
                "series": {"epochs": {}},
                "refused": 0,
                "quarantined": False,
            }
        },
        "events": 3,
        "kinds": {"lane_note": 3},
    }


async def test_sent_twice_is_stored_once_and_acknowledged_twice(hub: Database) -> None:
    box, tell = lane("a", "b"), Told()
    handlers = Handlers({"lane_note": [tell]})
    for _ in range(3):
        assert (await send(hub, box.money.batch(1), handlers)).through == 2
    box.add(note("c"))
    assert (await send(hub, box.money.batch(2), handlers)).through == 3
    assert await told(hub) == [(1, "a"), (2, "b"), (3, "c")]
    assert await stored(hub) == [(box.money.epoch, 3)]


async def test_a_gap_is_asked_for(hub: Database) -> None:
    box = lane("a", "b", "c", "d")
    ack = await send(hub, box.money.batch(3))
    assert (ack.through, ack.resend_from) == (0, 1)
    await send(hub, box.money.batch(1, 1))
    ack = await send(hub, box.money.batch(3))
    assert (ack.through, ack.resend_from, ack.quarantined) == (1, 2, False)
    assert await stored(hub) == [(box.money.epoch, 1)]


Listening = Callable[[], AbstractAsyncContextManager["asyncio.Queue[tuple[str, dict[str, object]]]"]]


async def test_a_fork_alarms_headquarters_once(hub: Database, listening: Listening) -> None:
    box = lane("a")
    clone = FakeBox(BOX)
    clone.money.epoch = box.money.epoch
    clone.add(note("b"))
    await send(hub, box.money.batch())
    async with listening() as heard, asyncio.timeout(10):
        for _ in range(2):
            await send(hub, clone.money.batch())
        alarm, box_word = await heard.get(), await heard.get()
        await send(hub, box.money.batch())
        assert heard.empty()
    detail = {"stream": "money", "epoch": box.money.epoch, "seq": 1}
    assert alarm == ("alarm", {"what": "fork", "box": BOX, "project_id": 11, **detail})
    assert box_word == ("box", {"box": BOX, "project_id": 11})


async def test_a_fork_quarantines_for_good_and_both_streams(hub: Database) -> None:
    """B-08: the same identity with another hash."""
    box = lane("a", "b")
    clone = box.clone()
    await send(hub, box.money.batch())
    box.add(note("honest"))
    clone.add(note("clone"))
    await send(hub, box.money.batch(3))
    for _ in range(2):
        ack = await send(hub, clone.money.batch(3))
        assert (ack.quarantined, ack.through, ack.resend_from, ack.heads) == (True, 0, None, ())
    box.add(note("more"), readings("r1"))
    assert (await send(hub, box.money.batch(4))).quarantined
    assert (await send(hub, box.series.batch())).quarantined
    assert await stored(hub) == [(box.money.epoch, 3)]
    async with hub.tx(EAST) as tx:
        notes = await tx.fetch_all("select what, detail from box_notes where what <> 'code_issued'")
        assert (await fleet.counts(tx))["boxes"][BOX]["quarantined"]
    assert notes == [{"what": "fork", "detail": {"stream": "money", "epoch": box.money.epoch, "seq": 3}}]
    other = await Database.open(hub.dsn)
    assert (await send(other, box.money.batch(4))).quarantined, "another worker, or the hub after a restart"
    await other.close()


async def test_a_reset_box_begins_anew_and_an_old_image_is_found_out(hub: Database) -> None:
    """B-03, B-08."""
    box = lane("a", "b")
    await send(hub, box.money.batch())
    old = box.clone()
    box.reset()
    box.add(boot())
    assert (await send(hub, box.money.batch())).through == 1
    assert (await send(hub, old.money.batch(1))).through == 2, "what was stored anyway is only late"
    old.add(boot("0.0.9"))
    assert (await send(hub, old.money.batch(3))).quarantined
    async with hub.tx(EAST) as tx:
        notes = await tx.fetch_all("select what from box_notes order by id")
    assert [row["what"] for row in notes] == ["code_issued", "reset", "old_epoch"]


async def test_after_release_a_box_that_was_reset_is_heard_again(hub: Database) -> None:
    box = lane("a")
    await send(hub, box.money.batch())
    clone = lane("x")
    clone.money.epoch = box.money.epoch
    clone.money.lines.clear()
    clone.add(note("x"))
    assert (await send(hub, clone.money.batch())).quarantined
    async with hub.tx(EAST) as tx:
        await fleet.release(tx, BOX, "0001", "换了存储卡", LATER)
        with pytest.raises(Refused, match="not_quarantined"):
            await fleet.release(tx, BOX, "0001", "again", LATER)
    box.reset()
    box.add(boot())
    assert (await send(hub, box.money.batch())).through == 1


async def test_a_refused_event_is_set_aside_and_does_not_block_the_rest(hub: Database) -> None:
    box, tell = lane("a", "bad", "c"), Told(refuse=["bad"])
    box.add(boot(), note("d"))
    ack = await send(hub, box.money.batch(), Handlers({"lane_note": [tell]}))
    assert ack.through == 5
    assert await told(hub) == [(1, "a"), (3, "c"), (5, "d")]
    assert await refused(hub) == [{"seq": 2, "kind": "lane_note", "code": "not_ours", "amount_fen": None, "suspended": False}]
    assert tell.calls[0] == [1, 2, 3, 5], "consecutive events of one kind come as one call; nobody waits for the boot between"


async def test_what_cannot_be_read_is_set_aside_not_lost(hub: Database) -> None:
    """A newer schema, an unknown kind, a bad body, a wrong stream, a strange time."""
    box = FakeBox(BOX)
    good = note("x").model_dump(mode="json", exclude_none=True)
    box.money.add("lane_note", good, version=2)
    box.money.add("teleport", {"to": "moon"})
    box.money.add("lane_note", {"lane": 7})
    box.money.add("readings", readings("r").model_dump(mode="json", exclude_none=True))
    box.money.add("lane_note", good, at="yesterday")
    box.money.add("lane_note", good)
    tell = Told()
    assert (await send(hub, box.money.batch(), Handlers({"lane_note": [tell]}))).through == 6
    assert [row["code"] for row in await refused(hub)] == [
        "future_schema",
        "unknown_kind",
        "bad_body",
        "wrong_stream",
        "bad_time",
    ]
    assert await told(hub) == [(6, "x")]
    assert await stored(hub) == [(box.money.epoch, 6)]


async def test_a_value_the_database_cannot_hold_is_the_events_fault(hub: Database) -> None:
    box = lane("a", "nul", "b")

    async def choke(tx: Tx, events: Sequence[BoxEvent]) -> None:
        for event in events:
            assert isinstance(event.body, LaneNote)
            await tx.execute("insert into told (seq) values (%s)", (2**70 if event.body.detail == "nul" else event.seq,))

    assert (await send(hub, box.money.batch(), Handlers({"lane_note": [choke]}))).through == 3
    assert [row["code"] for row in await refused(hub)] == ["bad_data"]


@pytest.mark.parametrize("detail", ["NaN", "1e999", '"\\u0000"', '["\\u0000"]', "null"])
async def test_no_value_a_box_may_write_blocks_it(hub: Database, detail: str) -> None:
    """What JSON allows and PostgreSQL or Python do not is set aside or stored, and the proof still reads it."""
    box, tell = FakeBox(BOX), Told()
    box.add(note("first"))
    box.money.add("lane_note", {"lane": "n", "what": "call", "detail": "HERE", "\0key": 1})
    box.money.lines[1] = box.money.lines[1].replace(b'"HERE"', detail.encode())
    box.money.add("command_done", {"command": "\0", "name": "open", "outcome": "forged"})
    box.money.add("lane_note", {"lane": "n", "what": "call"}, at="0001-01-01T00:00:00+14:00")
    box.add(note("last"))
    assert (await send(hub, box.money.batch(), Handlers({"lane_note": [tell]}))).through == 5
    assert (1, "first") in await told(hub) and (5, "last") in await told(hub)
    assert await stored(hub) == [(box.money.epoch, 5)]
    assert {row["seq"] for row in await refused(hub)} >= {2, 4}


async def test_a_handler_that_must_wait_leaves_nothing(hub: Database) -> None:
    """Retry: no acknowledgement, nothing stored; the box sends again and then it is taken once."""
    box, tell = lane("a", "b"), Told()

    async def away(tx: Tx, events: Sequence[BoxEvent]) -> None:
        raise Retry("provider_away", "对方不在", "away")

    with pytest.raises(Retry):
        await send(hub, box.money.batch(), Handlers({"lane_note": [tell, away]}))
    assert await stored(hub) == []
    assert await told(hub) == []
    assert (await send(hub, box.money.batch(), Handlers({"lane_note": [tell]}))).through == 2
    assert await told(hub) == [(1, "a"), (2, "b")]


async def test_two_workers_at_once_on_one_box(hub: Database) -> None:
    """The row lock: the same batches through two pools in any order, each event once."""
    other, tell, box = await Database.open(hub.dsn), Told(), lane(*(str(number) for number in range(40)))
    handlers = Handlers({"lane_note": [tell]})

    async def worker(db: Database, seed: int) -> None:
        starts = list(range(1, 41, 4)) * 2
        random.Random(seed).shuffle(starts)
        for first in [*starts, *range(1, 41, 4)]:
            await send(db, box.money.batch(first, 4), handlers)

    await asyncio.gather(worker(hub, 1), worker(other, 2), worker(hub, 3))
    await other.close()
    assert [seq for seq, _ in await told(hub)] == list(range(1, 41))
    assert await stored(hub) == [(box.money.epoch, 40)]


@pytest.mark.parametrize("seed", range(4))
async def test_a_channel_that_loses_doubles_and_reorders(hub: Database, seed: int) -> None:
    """L-32 end to end with the database: batches and acknowledgements get lost, come twice, overtake each other."""
    chance, box, tell, wire = random.Random(seed), FakeBox(BOX), Told(), list[bytes]()
    handlers = Handlers({"lane_note": [tell]})
    for step in range(120):
        box.add(*(note(f"{step}.{number}") for number in range(chance.randint(0, 3))))
        if box.money.waiting:
            first = chance.randint(max(1, box.money.acked - 2), box.money.acked + 1)
            wire += [box.money.batch(first, chance.randint(1, 6))] * chance.choice((0, 1, 1, 2))
        while wire and chance.random() < 0.6:
            ack = await send(hub, wire.pop(chance.randrange(len(wire))), handlers)
            assert not ack.quarantined, f"seed {seed}"
            if chance.random() < 0.7:
                box.money.heard(ack)
    while box.money.waiting or box.money.acked == 0:
        box.money.heard(await send(hub, box.money.batch(), handlers))
    assert await stored(hub) == [(box.money.epoch, len(box.money.lines))], f"seed {seed}"
    assert [seq for seq, _ in await told(hub)] == list(range(1, len(box.money.lines) + 1))


def truncated(payload: bytes) -> bytes:
    return payload[:-4]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "bad_batch"),
        (b"\x00\xff garbage", "bad_batch"),
        (b'{"hello": "world"}', "bad_batch"),
        (truncated(lane("a").money.batch()), "bad_batch"),
        (FakeBox("other-01").money.batch(count=0), "bad_batch"),
        (encode_batch(BOX, "money", "0" * 16, 1, [compact({"not": "an event"})]), "bad_event"),
    ],
    ids=["nothing", "bytes", "json", "truncated", "no events", "no event"],
)
async def test_what_is_no_batch_is_refused(hub: Database, payload: bytes, code: str) -> None:
    with pytest.raises(Refused) as caught:
        await send(hub, payload)
    assert caught.value.code == code
    assert await stored(hub) == []


async def test_a_batch_of_another_box_or_of_nobody_is_refused(hub: Database) -> None:
    stranger = FakeBox("other-01")
    stranger.add(note("x"))
    with pytest.raises(Refused, match="foreign_batch"):
        await send(hub, stranger.money.batch())
    with pytest.raises(Refused, match="unknown_box"):
        await send(hub, stranger.money.batch(), box="other-01")


MONEY = event_handlers()


async def takings(db: Database) -> list[tuple[str, int]]:
    async with db.tx(EAST) as tx:
        assert (await ledger.verify(tx)).ok
        rows = await tx.fetch_all("select kind, amount_fen from report_takings order by amount_fen")
    return [(row["kind"], row["amount_fen"]) for row in rows]


async def test_refused_cash_lies_in_suspense_at_once(hub: Database) -> None:
    """DESIGN 2.4: HQ's sum holds what came in, explained or not; witnesses name the chain as it is now (DESIGN 3)."""
    box = FakeBox(BOX)
    box.add(payment(1, 500), payment(1, 600, payment="p-other"), payment(2, 700))
    future = payment(9, 800).model_dump(mode="json", exclude_none=True)
    box.money.add("payment", future, version=2)
    ack = await send(hub, box.money.batch(), MONEY)
    assert await takings(hub) == [("lane_cash", 500), ("suspense", 600), ("lane_cash", 700), ("suspense", 800)]
    assert await refused(hub) == [
        {"seq": 2, "kind": "payment", "code": "number_used", "amount_fen": 600, "suspended": True},
        {"seq": 4, "kind": "payment", "code": "future_schema", "amount_fen": 800, "suspended": True},
    ]
    async with hub.tx(EAST) as tx:
        heads = await ledger.heads(tx, 11)
    assert ack.through == 4
    assert [(head.project, head.seq) for head in ack.heads] == [(11, 4)] and list(ack.heads) == heads
    assert (await send(hub, box.money.batch(1), MONEY)).through == 4
    assert len(await takings(hub)) == 4


async def test_money_nobody_can_take_is_at_least_shouted_about(hub: Database) -> None:
    async def refuse(tx: Tx, events: Sequence[BoxEvent]) -> None:
        raise Refused("closed", "已关账", "closed")

    async def no_suspense(tx: Tx, event: BoxEvent, reason: str) -> None:
        raise Refused("closed", "已关账", "closed")

    box = FakeBox(BOX)
    box.add(payment(1, 500))
    assert (await send(hub, box.money.batch(), Handlers({"payment": [refuse]}, no_suspense))).through == 1
    assert [(row["amount_fen"], row["suspended"]) for row in await refused(hub)] == [(500, False)]
    async with hub.tx(EAST) as tx:
        row = await tx.fetch_one("select detail from box_notes where what = 'payment_refused'")
    assert row is not None and row["detail"]["suspended"] is False


async def test_a_box_touches_nothing_outside_its_project(hub: Database) -> None:
    """A handler sees the box's project only, whatever the event says."""
    seen: list[int] = []

    async def look(tx: Tx, events: Sequence[BoxEvent]) -> None:
        rows = await tx.fetch_all("select project_id from boxes")
        seen.extend(row["project_id"] for row in rows)

    await register(hub, "south-01", project=12)
    await register(hub, "xiyu-01", project=21, company=2)
    await send(hub, lane("a").money.batch(), Handlers({"lane_note": [look]}))
    assert seen == [11]


async def test_events_are_append_only_and_tampering_is_named(hub: Database, money_admin: Admin) -> None:
    box = lane("a", "b", "c")
    await send(hub, box.money.batch())
    for change in ("update box_events set raw = ''", "delete from box_events"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with hub.tx(EAST) as tx:
                await tx.execute(change)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        money_admin.execute("update box_events set raw = ''")
    money_admin.tamper("update box_events set raw = replace(raw, '\"b\"', '\"B\"') where seq = 2")
    async with hub.tx(EAST) as tx:
        assert await fleet.verify(tx) == [{"box": BOX, "stream": "money", "epoch": box.money.epoch, "seq": 2, "what": "hash"}]


async def test_series_events_reach_their_handler_with_everything_read(hub: Database) -> None:
    got: list[Readings] = []

    async def keep(tx: Tx, events: Sequence[BoxEvent]) -> None:
        got.extend(event.body for event in events if isinstance(event.body, Readings))

    box = FakeBox(BOX)
    box.add(readings("r1"), readings("r2", 5))
    assert (await send(hub, box.series.batch(), Handlers({"readings": [keep]}))).through == 2
    assert [(one.round, len(one.items)) for one in got] == [("r1", 3), ("r2", 5)]


async def test_a_registered_name_stays_with_its_project(hub: Database) -> None:
    assert json.dumps(await register(hub)) != json.dumps(await register(hub)), "each time a new code"
    with pytest.raises(Refused, match="box_taken"):
        await register(hub, project=12)
    with pytest.raises(Refused, match="box_taken"):
        await register(hub, project=21, company=2)
    with pytest.raises(Refused, match="bad_box_id"):
        await register(hub, "Bad Box")
    with pytest.raises(Refused, match="project_not_found"):
        await register(hub, "new-01", project=21, company=1)
