"""The console's JSON of boxes: who may register, what is listed, what was refused (B-01, B-05, B-08, 1.1)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from cloud.fleet import store
from cloud.fleet.service import Handlers, ingest
from cloud.fleet.sessions import Sessions
from cloud.shared.hub import Hub
from protocols.uplink.commands import decode_beat
from tests.support.fleet import FakeBox, note, register
from tests.support.hub import HubClient, StepClock

BOX = "north-01"
Listening = Callable[[], AbstractAsyncContextManager["asyncio.Queue[tuple[str, dict[str, object]]]"]]


async def test_a_technician_registers_a_box_of_his_project(hub: Hub, hub_client: HubClient) -> None:
    await hub_client.log_in("technician", project=11)
    answer = await hub_client.post("/api/v1/fleet/boxes", json={"box": BOX, "project": 11})
    assert answer.status_code == 200
    assert answer.json()["box"] == BOX and re.fullmatch(r"([A-Z2-9]{4}-){3}[A-Z2-9]{4}", answer.json()["code"])
    answer = await hub_client.post("/api/v1/fleet/boxes", json={"box": "other-01", "project": 21})
    assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")
    answer = await hub_client.post("/api/v1/fleet/boxes", json={"box": "Bad Name", "project": 11})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_box_id")


async def test_others_may_not(hub: Hub, hub_client: HubClient) -> None:
    assert (await hub_client.post("/api/v1/fleet/boxes", json={"box": BOX, "project": 11})).status_code == 401
    await hub_client.log_in("cashier", project=11)
    assert (await hub_client.post("/api/v1/fleet/boxes", json={"box": BOX, "project": 11})).status_code == 403
    assert (await hub_client.get("/api/v1/fleet/boxes")).status_code == 403


async def test_the_list_shows_state_streams_queue_and_bad_messages(hub: Hub, hub_client: HubClient) -> None:
    await register(hub.db, BOX)
    await register(hub.db, "south-01", 12)
    await register(hub.db, "xiyu-01", 21, 2)
    box, sessions = FakeBox(BOX), Sessions(hub.db, hub.clock)
    box.add(note("a"), note("b"))
    await ingest(hub.db, BOX, box.money.batch(), Handlers(), hub.clock.now())
    await sessions.heard(BOX, decode_beat(box.beat(queue={"money": 7, "series": 2}, version="0.1.0")), "mqtts://127.0.0.1")
    assert await sessions.write() == 1
    await store.count_bad(hub.db, BOX, "bad_batch", b"\x00", hub.clock.now())
    await hub_client.log_in("technician", company=1)
    rows = (await hub_client.get("/api/v1/fleet/boxes")).json()
    assert [(row["box"], row["state"]) for row in rows] == [(BOX, "online"), ("south-01", "never")]
    found = rows[0]
    assert (found["queue"], found["health"]["version"], found["bad_messages"]) == ({"money": 7, "series": 2}, "0.1.0", 1)
    assert (found["streams"]["money"]["seq"], found["streams"]["money"]["hash"]) == (2, box.money.tip)
    one = (await hub_client.get(f"/api/v1/fleet/boxes/{BOX}")).json()
    assert [(row["code"], row["count"]) for row in one["bad"]] == [("bad_batch", 1)]
    assert [row["what"] for row in one["notes"]] == ["code_issued"]
    assert (await hub_client.get("/api/v1/fleet/boxes/xiyu-01")).status_code == 404


async def test_a_box_grows_late_and_then_silent(hub: Hub, hub_client: HubClient, clock: StepClock, listening: Listening) -> None:
    """B-05: amber after 2 minutes, red after 10; silence is told to headquarters once, and again after the next one."""
    await register(hub.db, BOX)
    await hub_client.log_in("technician", project=11)
    now = clock.time

    async def heard_before(minutes: int) -> str:
        clock.time = now - timedelta(minutes=minutes)
        sessions = Sessions(hub.db, hub.clock)
        await sessions.heard(BOX, decode_beat(FakeBox(BOX).beat()), "mqtts://127.0.0.1")
        await sessions.write()
        clock.time = now
        state: str = (await hub_client.get("/api/v1/fleet/boxes")).json()[0]["state"]
        return state

    watch = Sessions(hub.db, hub.clock)
    async with listening() as told:
        assert await heard_before(30) == "silent"
        assert [await watch.check_silence(), await watch.check_silence()] == [[BOX], []]
        assert await heard_before(5) == "late"
        assert await heard_before(0) == "online"
        assert await watch.check_silence() == []
        clock.time = now + timedelta(minutes=11)
        assert await watch.check_silence() == [BOX]
        alarms = 0
        async with asyncio.timeout(10):
            while alarms < 2:
                alarms += (await told.get())[0] == "alarm"


async def test_a_box_that_holds_another_chain_head_is_an_alarm(hub: Hub, hub_client: HubClient) -> None:
    """G-16: the witness speaks up, and is heard once for each contradiction."""
    await register(hub.db, BOX)
    sessions = Sessions(hub.db, hub.clock)
    for conflicts in (0, 1, 1, 2, 0, 1):
        await sessions.heard(BOX, decode_beat(FakeBox(BOX).beat(witness_conflicts=conflicts)), "mqtts://127.0.0.1")
    await hub_client.log_in("technician", project=11)
    notes = (await hub_client.get(f"/api/v1/fleet/boxes/{BOX}")).json()["notes"]
    assert [row["detail"]["conflicts"] for row in notes if row["what"] == "witness_conflict"] == [1, 2, 1]


async def test_what_was_refused_is_listed_with_its_line(hub: Hub, hub_client: HubClient) -> None:
    await register(hub.db, BOX)
    box = FakeBox(BOX)
    box.money.add("teleport", {"to": "moon"})
    await ingest(hub.db, BOX, box.money.batch(), Handlers(), hub.clock.now())
    await store.count_bad(hub.db, "ghost-01", "unknown_box", b"\x00", hub.clock.now())
    await hub_client.log_in("technician", project=11)
    found = (await hub_client.get("/api/v1/fleet/refused")).json()
    assert [(row["box"], row["seq"], row["code"], row["raw"]) for row in found["events"]] == [
        (BOX, 1, "unknown_kind", box.money.lines[0].decode())
    ]
    assert found["stray_messages"] == 1


async def test_quarantine_is_lifted_with_a_reason(hub: Hub, hub_client: HubClient) -> None:
    await register(hub.db, BOX)
    box, clone = FakeBox(BOX), FakeBox(BOX)
    clone.money.epoch = box.money.epoch
    box.add(note("a"))
    clone.add(note("b"))
    for one in (box, clone):
        await ingest(hub.db, BOX, one.money.batch(), Handlers(), hub.clock.now())
    await hub_client.log_in("technician", project=11)
    assert (await hub_client.get("/api/v1/fleet/boxes")).json()[0]["quarantined"] == "fork"
    assert (await hub_client.post(f"/api/v1/fleet/boxes/{BOX}/release", json={})).status_code == 422
    answer = await hub_client.post(f"/api/v1/fleet/boxes/{BOX}/release", json={"reason": "换了存储卡"})
    assert answer.status_code == 200
    one = (await hub_client.get(f"/api/v1/fleet/boxes/{BOX}")).json()
    assert one["quarantined"] is None
    assert one["notes"][0]["what"] == "released" and one["notes"][0]["detail"]["reason"] == "换了存储卡"


async def test_one_box_with_strange_health_does_not_silence_the_others(hub: Hub, hub_client: HubClient) -> None:
    sessions = Sessions(hub.db, hub.clock)
    for number, health in enumerate(({"x": "\0"}, {"x": float("nan")}, {"x": "y" * 5000}, {"fine": 1})):
        box = FakeBox(f"box-{number}")
        await register(hub.db, box.box)
        beat = decode_beat(box.beat()).model_copy(update={"health": health, "boot": "b\0" * 50})
        await sessions.heard(box.box, beat, "mqtts://127.0.0.1")
    assert await sessions.write() == 4
    await hub_client.log_in("technician", project=11)
    rows = (await hub_client.get("/api/v1/fleet/boxes")).json()
    assert [row["health"] for row in rows] == [{"unreadable": True}, {"unreadable": True}, {"too_long": True}, {"fine": 1}]
