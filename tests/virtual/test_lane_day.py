"""A box's lanes against the plant in virtual time: an ordinary and a bad day at a lane (L-02 ... L-34, K-26, K-31)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from protocols.errors import Refused
from protocols.uplink.commands import Command
from protocols.uplink.events import Device, FeeDue, LaneNote, Passage, Payment, Stroke
from sim.plant.vehicle import Plan, Vehicle
from tests.support.lanes import Yard, lane_config, papers, until
from tests.support.virtual import run

MONTHLY = {
    "plate": "京A11111",
    "category": "monthly",
    "start": "2026-11-01T00:00:00+08:00",
    "last": "2026-12-31T23:59:59+08:00",
}
IN, OUT = lane_config("n-in"), lane_config("n-out", 12)


async def yard(*passes: dict[str, str], **more: object) -> Yard:
    return await Yard(papers((IN, OUT), passes, **more), (IN, OUT)).start()  # type: ignore[arg-type]


async def drive(site: Yard, lane: str, *cars: Vehicle) -> None:
    """The vehicles arrive one after the other; returns when the lane is empty and its arm down."""
    plant = site.plant[lane]
    for car in cars:
        plant.arrive(car)
    await until(lambda: not plant.lane.busy and plant.lane.inputs.arm_down, 120)
    await site.lanes.drained()


def test_a_casual_vehicle_comes_pays_cash_and_leaves() -> None:
    """L-03, K-26: entry opens a stay, exit asks for the fee, the guard's cash opens, books agree."""

    async def story() -> None:
        site = await yard()
        await drive(site, "n-in", Vehicle("京A12345", "blue"))
        await asyncio.sleep(3 * 3600 + 600)
        plant = site.plant["n-out"]
        plant.arrive(Vehicle("京A12345", "blue"))
        await until(lambda: site.view("n-out").state == "owing")
        view = site.view("n-out")
        assert view.fee_fen == 2000 and view.lines
        answer = await site.lanes.take_cash("n-out", view.stay, 5000, "G1", "key-1")
        assert (answer["receipt"], answer["amount_fen"], answer["change_fen"]) == ("box-1-L 0000001", 2000, 3000)
        assert await site.lanes.take_cash("n-out", view.stay, 5000, "G1", "key-1") == answer
        await until(lambda: not plant.lane.busy and plant.lane.inputs.arm_down)
        await site.lanes.drained()
        came, left = site.journal.of(Passage)
        assert (came.direction, came.category, came.stroke) == ("in", "casual", 1)
        assert (left.direction, left.stay, left.fee_fen, left.paid_fen) == ("out", came.stay, 2000, 2000)
        assert [(p.number, p.book, p.amount_fen) for p in site.journal.of(Payment)] == [(1, "box-1-L", 2000)]
        assert [(s.lane, s.n, s.reason) for s in site.journal.of(Stroke)] == [("n-in", 1, "entry"), ("n-out", 1, "paid")]
        assert len(site.journal.of(FeeDue)) == 1 and not site.journal.states("stay/")
        assert not any(plant.lane.struck for plant in site.plant.values())

    run(story())


def test_backing_out_at_the_entry_leaves_no_stay() -> None:
    """L-03: opened, then backed out: abandoned, no passage, no stay."""

    async def story() -> None:
        site = await yard()
        site.journal.delay_s = 6.0
        await drive(site, "n-in", Vehicle("京A12345", "blue", Plan.BACK_OUT))
        assert not site.journal.of(Passage)
        assert [n.what for n in site.journal.of(LaneNote)] == ["abandoned"]
        assert not site.journal.states("stay/")

    run(story())


def test_a_granted_vehicle_that_backs_out_is_abandoned_and_the_arm_closes() -> None:
    """L-03: the arm was up for it; it leaves backwards; nothing is charged, the next one is judged anew."""

    async def story() -> None:
        site = await yard()
        plant = site.plant["n-in"]
        car = Vehicle("京A12345", "blue")
        plant.arrive(car)
        await until(lambda: site.view("n-in").state == "cleared")
        plant.turn_back(car)
        await until(lambda: not plant.lane.busy and plant.lane.inputs.arm_down)
        await site.lanes.drained()
        assert [n.what for n in site.journal.of(LaneNote)] == ["abandoned"]
        assert not site.journal.of(Passage) and not site.journal.states("stay/")
        await drive(site, "n-in", Vehicle("京A12345", "blue"))
        assert [p.plate for p in site.journal.of(Passage)] == ["京A12345"]

    run(story())


def test_a_tailgater_at_the_exit_is_escaped_with_his_fee() -> None:
    """L-04, K-27: two vehicles under one opening; the second has not paid."""

    async def story() -> None:
        site = await yard(MONTHLY)
        await drive(site, "n-in", Vehicle("京A11111", "blue"))
        await drive(site, "n-in", Vehicle("京A22222", "blue"))
        await asyncio.sleep(7200)
        await drive(site, "n-out", Vehicle("京A11111", "blue"), Vehicle("京A22222", "blue", Plan.TAILGATE))
        paid, escaped = site.journal.of(Passage, direction="out")
        assert (paid.category, escaped.category) == ("monthly", "escaped")
        assert escaped.fee_fen and not escaped.paid_fen and escaped.entered_at
        assert [n.what for n in site.journal.of(LaneNote)][0] == "tailgate"
        strokes = site.journal.of(Stroke, lane="n-out")
        assert [s.n for s in strokes] == list(range(1, len(strokes) + 1)) and len(strokes) == site.plant["n-out"].lane.arm.strokes
        assert not site.plant["n-out"].lane.struck and not site.journal.states("stay/")

    run(story())


def test_a_cranked_arm_is_the_only_unexplained_stroke() -> None:
    """L-11."""

    async def story() -> None:
        site = await yard()
        site.plant["n-out"].crank()
        await until(lambda: site.journal.of(Stroke))
        await until(lambda: site.plant["n-out"].lane.inputs.arm_down)
        await site.lanes.drained()
        assert [(s.n, s.reason) for s in site.journal.of(Stroke)] == [(1, "none")]

    run(story())


def test_fire_opens_exits_though_the_disk_is_full_and_only_a_person_ends_it() -> None:
    """L-13, L-33."""

    async def story() -> None:
        site = await yard()
        site.journal.full = True
        out, entry = site.plant["n-out"], site.plant["n-in"]
        out.set_fire(True)
        entry.set_fire(True)
        await until(lambda: out.lane.inputs.arm_up, 3)
        assert entry.lane.inputs.arm_down
        out.set_fire(False)
        entry.set_fire(False)
        await asyncio.sleep(60)
        assert out.lane.inputs.arm_up and not site.journal.of(Stroke)
        site.journal.full = False
        await site.lanes.drained()
        assert [(s.n, s.reason) for s in site.journal.of(Stroke)] == [(1, "fire")]
        site.lanes.rearm("n-out")
        await until(lambda: out.lane.inputs.arm_down)

    run(story())


def test_a_vehicle_that_stops_under_the_arm_is_never_touched() -> None:
    """L-16."""

    async def story() -> None:
        site = await yard()
        await drive(site, "n-in", Vehicle("京A12345", "blue", Plan.STALL, stall_ms=45_000))
        assert not site.plant["n-in"].lane.struck
        assert [n.what for n in site.journal.of(LaneNote)] == ["call"]
        assert len(site.journal.of(Passage)) == 1

    run(story())


def test_a_full_disk_calls_and_lets_the_exit_out_after_a_minute() -> None:
    """L-33: nothing is lost once the disk takes events again."""

    async def story() -> None:
        site = await yard(MONTHLY)
        await drive(site, "n-in", Vehicle("京A11111", "blue"))
        site.journal.full = True
        out = site.plant["n-out"]
        out.arrive(Vehicle("京A11111", "blue"))
        await until(lambda: site.view("n-out").state == "stalled")
        await asyncio.sleep(50)
        assert out.lane.inputs.arm_down and site.lanes.store_failing
        await until(lambda: not out.lane.busy and out.lane.inputs.arm_down, 90)
        site.journal.full = False
        await site.lanes.drained()
        assert [(s.n, s.reason) for s in site.journal.of(Stroke, lane="n-out")] == [(1, "fault")]
        assert [n.what for n in site.journal.of(LaneNote)] == ["store_full", "call"]
        assert [p.direction for p in site.journal.of(Passage)] == ["in", "out"]

    run(story())


def test_an_exit_without_entry_proposes_and_never_guesses() -> None:
    """K-31, K-34: one character differs; the guard picks; both plates are kept."""

    async def story() -> None:
        site = await yard()
        await drive(site, "n-in", Vehicle("京A12346", "blue"))
        await asyncio.sleep(1800)
        out = site.plant["n-out"]
        out.misread["京A12346"] = "京A12345"
        out.arrive(Vehicle("京A12346", "blue"))
        await until(lambda: site.view("n-out").state == "held")
        (found,) = site.view("n-out").candidates
        assert (found["plate"], found["fee_fen"]) == ("京A12346", 500)
        site.lanes.correct("n-out", "京A12346")
        view = site.view("n-out")
        assert view.state == "owing"
        await site.lanes.take_cash("n-out", view.stay, 500, "G1", "key-1")
        await until(lambda: not out.lane.busy and out.lane.inputs.arm_down)
        await site.lanes.drained()
        (left,) = site.journal.of(Passage, direction="out")
        assert (left.plate, left.plate_read, left.paid_fen) == ("京A12346", "京A12345", 500)

    run(story())


def test_power_cut_with_a_vehicle_under_the_arm() -> None:
    """L-03, L-16, L-33: killed while it passes, up again before it is through: one passage, one stroke, no blow."""

    async def story() -> None:
        site = await yard()
        plant = site.plant["n-in"]
        plant.arrive(Vehicle("京A12345", "blue", Plan.STALL, stall_ms=4_000))
        await until(lambda: plant.lane.inputs.loop_b)
        await site.lanes.drained()
        await site.kill(reboot=True)
        await asyncio.sleep(1)
        await site.start()
        await until(lambda: not plant.lane.busy and plant.lane.inputs.arm_down)
        await site.lanes.drained()
        assert [(p.plate, p.direction) for p in site.journal.of(Passage)] == [("京A12345", "in")]
        assert [(s.n, s.reason) for s in site.journal.of(Stroke)] == [(1, "entry")]
        assert [n.what for n in site.journal.of(LaneNote)] == ["vehicle_under_arm"]
        assert not plant.lane.struck and len(site.journal.states("stay/")) == 1

    run(story())


def test_power_cut_between_grant_and_opening() -> None:
    """L-33: the grant is on the disk, the pulse was never sent; the vehicle is let in after the start, once."""

    async def story() -> None:
        site = await yard()
        plant = site.plant["n-in"]
        plant.jam(True)
        plant.arrive(Vehicle("京A12345", "blue"))
        await until(lambda: site.view("n-in").state == "cleared")
        await site.lanes.drained()
        await site.kill(reboot=True)
        plant.jam(False)
        await asyncio.sleep(5)
        await site.start()
        await until(lambda: not plant.lane.busy and plant.lane.inputs.arm_down)
        await site.lanes.drained()
        assert [p.plate for p in site.journal.of(Passage)] == ["京A12345"]
        assert [(s.n, s.reason) for s in site.journal.of(Stroke)] == [(1, "entry")]

    run(story())


def test_power_cut_while_a_vehicle_waits_to_pay() -> None:
    """L-33: its plate is remembered, the fee is asked for again; a minute later it would be somebody else's."""

    async def story() -> None:
        site = await yard()
        await drive(site, "n-in", Vehicle("京A12345", "blue"))
        await asyncio.sleep(3_000)
        out = site.plant["n-out"]
        out.arrive(Vehicle("京A12345", "blue"))
        await until(lambda: site.view("n-out").state == "owing")
        for away, state in ((20, "owing"), (100, "held")):
            await site.lanes.drained()
            await site.kill(reboot=True)
            await asyncio.sleep(away)
            await site.start()
            await until(lambda state=state: site.view("n-out").state == state)  # type: ignore[misc]
        assert site.view("n-out").plate is None

    run(story())


def test_an_arm_that_was_cranked_while_the_box_was_off_is_found() -> None:
    """L-11 across a power cut."""

    async def story() -> None:
        site = await yard()
        await site.lanes.drained()
        await site.kill(reboot=True)
        site.plant["n-in"].crank()
        await asyncio.sleep(3)
        await site.start()
        await until(lambda: site.plant["n-in"].lane.inputs.arm_down)
        await site.lanes.drained()
        assert [(s.lane, s.n, s.reason) for s in site.journal.of(Stroke)] == [("n-in", 1, "none")]

    run(story())


def test_a_jammed_arm_alarms_and_opens_on_the_next_try() -> None:
    """L-16: stuck closed; the guard raises once it is free."""

    async def story() -> None:
        site = await yard()
        plant = site.plant["n-in"]
        plant.jam(True)
        plant.arrive(Vehicle("京A12345", "blue"))
        await until(lambda: site.view("n-in").arm == "stuck_down")
        plant.jam(False)
        await site.lanes.raise_arm("n-in", "杆卡住了", "G1", "key-1")
        await until(lambda: not plant.lane.busy and plant.lane.inputs.arm_down)
        await site.lanes.drained()
        assert [n.what for n in site.journal.of(LaneNote)] == ["stuck_closed"]
        assert [(s.n, s.reason, s.by) for s in site.journal.of(Stroke)] == [(1, "manual", "G1")]

    run(story())


def test_a_wall_clock_set_back_does_not_shorten_a_stay() -> None:
    """L-34."""

    async def story() -> None:
        site = await yard()
        await drive(site, "n-in", Vehicle("京A12345", "blue"))
        await asyncio.sleep(3 * 3600)
        site.clock.skew = -timedelta(hours=2)
        out = site.plant["n-out"]
        out.arrive(Vehicle("京A12345", "blue"))
        await until(lambda: site.view("n-out").state == "owing")
        assert site.view("n-out").fee_fen in (1500, 2000)

    run(story())


def test_lists_change_while_a_vehicle_waits() -> None:
    """L-37: the lane goes on; the next decision uses the new list; an unreadable body changes nothing."""

    async def story() -> None:
        site = await yard()
        out = site.plant["n-out"]
        out.arrive(Vehicle("京A11111", "blue"))
        await until(lambda: site.view("n-out").state == "held")
        site.documents.put("passes", b"{broken")
        site.documents.put("passes", {"entries": [MONTHLY]})
        site.documents.put("lanes", {"site": "hq", "project": 11, "lanes": [c.model_dump() for c in (IN, OUT)]})
        assert site.view("n-out").state == "held"
        site.lanes.correct("n-out", "京A11111")
        await until(lambda: not out.lane.busy and out.lane.inputs.arm_down)
        await site.lanes.drained()
        assert [s.reason for s in site.journal.of(Stroke)] == ["pass"]
        assert [d.device for d in site.journal.of(Device)] == ["document/passes"]

    run(story())


def test_paid_at_the_hub_opens_only_for_the_stay_that_stands_there() -> None:
    """B-07: `open` names lane and stay; another one is refused; a second payment opens nothing."""

    async def story() -> None:
        site = await yard()
        await drive(site, "n-in", Vehicle("京A12345", "blue"))
        await asyncio.sleep(3600)
        out = site.plant["n-out"]
        out.arrive(Vehicle("京A12345", "blue"))
        await until(lambda: site.view("n-out").state == "owing")
        stay = site.view("n-out").stay
        with pytest.raises(Refused) as refused:
            await site.lanes.command(command(lane="n-out", stay="f" * 16, reason="paid"))
        assert refused.value.code == "not_here"
        assert await site.lanes.command(command(lane="n-out", stay=stay, reason="paid", reference="P1")) == "opened"
        with pytest.raises(Refused):
            await site.lanes.command(command(lane="n-out", stay=stay, reason="paid", reference="P2"))
        await until(lambda: not out.lane.busy and out.lane.inputs.arm_down)
        await site.lanes.drained()
        (left,) = site.journal.of(Passage, direction="out")
        assert left.paid_fen == left.fee_fen == 500
        assert [(s.reason, s.reference) for s in site.journal.of(Stroke, lane="n-out")] == [("paid", "P1")]

    run(story())


def command(**args: object) -> Command:
    return Command(box="box-1", id="c" * 12, name="open", nonce="0" * 32, args=args)
