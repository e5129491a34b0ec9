"""Which events carry a picture, and whose: by hand, no command, free, fault, corrected, escaped (DESIGN 2.7, K-37, L-11)."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from edge.ports import PlateSeen
from edge.services.lane_pictures import MOST_BYTES, LanePictures
from protocols.uplink.events import LaneNote, Passage, Snapshot, Stroke
from sim.plant.vehicle import Plan, Vehicle
from tests.support.lanes import JPEG, Yard, lane_config, papers, until
from tests.support.virtual import run, virtual
from tests.virtual.week import Week

IN, OUT = lane_config("n-in"), lane_config("n-out", 12)
PLATE = "京A12345"
PASS = {"plate": PLATE, "category": "monthly", "start": "2026-11-01T00:00:00+08:00", "last": "2026-12-31T23:59:59+08:00"}
HOUR = 3_600


async def yard(*passes: dict[str, str]) -> Yard:
    return await Yard(papers((IN, OUT), passes), (IN, OUT)).start()


async def drive(site: Yard, lane: str, *cars: Vehicle) -> None:
    for car in cars:
        site.plant[lane].arrive(car)
    await empty(site, lane)


async def empty(site: Yard, lane: str) -> None:
    plant = site.plant[lane]
    await until(lambda: not plant.lane.busy and plant.lane.inputs.arm_down, 120)
    await site.lanes.drained()


async def stand(site: Yard, lane: str, plate: str) -> Any:
    site.plant[lane].arrive(Vehicle(plate, "blue"))
    await until(lambda: site.view(lane).state in ("held", "owing"), 20)
    return site.view(lane)


def held(site: Yard) -> int:
    return sum(runner.pictures.held_bytes for runner in site.lanes._runners.values())


def pictured(site: Yard) -> dict[str, str]:
    """kind or reason -> the plate on its picture."""
    names = {Stroke: "reason", Passage: "category", LaneNote: "what"}
    found = [body for body in site.journal.bodies if type(body) in names and body.snapshot is not None]  # type: ignore[attr-defined]
    return {getattr(body, names[type(body)]): site.pictured(body) or "" for body in found}


@virtual
async def test_who_pays_or_has_a_pass_is_not_pictured() -> None:
    for passes in ((), (PASS,)):
        site = await yard(*passes)
        await drive(site, "n-in", Vehicle(PLATE, "blue"))
        await asyncio.sleep(3 * HOUR)
        if passes:
            await drive(site, "n-out", Vehicle(PLATE, "blue"))
        else:
            view = await stand(site, "n-out", PLATE)
            assert held(site), "the picture waits for what may still happen"
            await site.lanes.take_cash("n-out", view.stay, view.fee_fen, "G1", "key-1")
            await empty(site, "n-out")
        assert len(site.journal.of(Passage)) == 2 and pictured(site) == {} and not site.pictures
        assert held(site) == 0, "forgotten when the passage is over"


@virtual
async def test_raised_by_hand_for_a_vehicle_without_a_plate() -> None:
    """L-11, K-33: its picture is all there is of it."""
    site = await yard()
    site.plant["n-out"].unread.add("无牌")
    await stand(site, "n-out", "无牌")
    await site.lanes.raise_arm("n-out", "无牌车，已登记", "G1", "key-1")
    await empty(site, "n-out")
    assert pictured(site) == {"manual": "无牌", "casual": "无牌"} and len(site.pictures) == 1
    assert held(site) == 0


@virtual
async def test_opened_without_a_command_and_driven_away() -> None:
    """L-11, K-27: the stroke nobody ordered, the arm re-opened over it and the escape show the vehicle that stood there."""
    site = await yard()
    await drive(site, "n-in", Vehicle(PLATE, "blue"))
    await asyncio.sleep(3 * HOUR)
    await stand(site, "n-out", PLATE)
    site.plant["n-out"].crank()
    await empty(site, "n-out")
    assert pictured(site) == {"none": PLATE, "tailgate": PLATE, "fault": PLATE, "escaped": PLATE}


@virtual
async def test_the_stroke_of_an_empty_lane_shows_nobody() -> None:
    """Least of all the vehicle before."""
    site = await yard()
    await drive(site, "n-in", Vehicle(PLATE, "blue"))
    site.plant["n-in"].crank()
    await until(lambda: site.journal.of(Stroke, reason="none"))
    assert site.journal.of(Stroke, reason="none")[0].snapshot is None


@virtual
async def test_free_of_charge() -> None:
    """K-28."""
    site = await yard()
    await drive(site, "n-in", Vehicle(PLATE, "blue"))
    await asyncio.sleep(600)
    await drive(site, "n-out", Vehicle(PLATE, "blue"))
    (stroke,) = site.journal.of(Stroke, reason="free")
    assert site.pictured(stroke) == PLATE
    came, left = site.journal.of(Passage)
    assert came.snapshot is None and site.pictured(left) == PLATE and len(site.pictures) == 1


@virtual
async def test_opened_because_the_store_is_full() -> None:
    """L-33: the fault is pictured."""
    site = await yard(PASS)
    await drive(site, "n-in", Vehicle(PLATE, "blue"))
    site.journal.full = True
    site.plant["n-out"].arrive(Vehicle(PLATE, "blue"))
    await until(lambda: not site.plant["n-out"].lane.busy, 120)
    site.journal.full = False
    await site.lanes.drained()
    (stroke,) = site.journal.of(Stroke, reason="fault")
    assert site.pictured(stroke) == PLATE


@virtual
async def test_a_corrected_plate_shows_what_the_camera_saw() -> None:
    """K-34."""
    site = await yard()
    await drive(site, "n-in", Vehicle(PLATE, "blue"))
    await asyncio.sleep(3 * HOUR)
    site.plant["n-out"].misread[PLATE] = "京A12346"
    await stand(site, "n-out", PLATE)
    site.lanes.correct("n-out", PLATE, "G1")
    view = site.view("n-out")
    await site.lanes.take_cash("n-out", view.stay, view.fee_fen, "G1", "key-1")
    await empty(site, "n-out")
    (left,) = site.journal.of(Passage, direction="out")
    assert (left.plate, left.plate_read, site.pictured(left)) == (PLATE, "京A12346", PLATE)
    assert site.journal.of(Stroke, reason="paid")[0].snapshot is None


@virtual
async def test_the_one_behind_escapes_in_his_own_picture() -> None:
    """L-04: the paying one in front is not pictured."""
    site = await yard(PASS)
    await drive(site, "n-in", Vehicle(PLATE, "blue"), Vehicle("京A22222", "blue"))
    await asyncio.sleep(3 * HOUR)
    await drive(site, "n-out", Vehicle(PLATE, "blue"), Vehicle("京A22222", "blue", Plan.TAILGATE))
    first, second = site.journal.of(Passage, direction="out")
    assert (first.plate, first.snapshot) == (PLATE, None)
    assert (second.category, site.pictured(second)) == ("escaped", "京A22222")


@virtual
async def test_a_camera_that_repeats_itself_pushes_nothing_out() -> None:
    site = await yard()
    site.plant["n-out"].unread.add(PLATE)
    await stand(site, "n-out", PLATE)
    for n in range(5):
        big = JPEG + bytes([n]) * (MOST_BYTES - 3)
        site.lanes.plate_seen(PlateSeen("n-out", None, "blue", 0, f"more-{n}", picture=big))
        assert 0 < held(site) <= MOST_BYTES
    await site.lanes.raise_arm("n-out", "无牌车，已登记", "G1", "key-1")
    await empty(site, "n-out")
    assert pictured(site)["manual"] == PLATE


@virtual
async def test_after_a_power_cut_no_picture_rather_than_a_wrong_one() -> None:
    site = await yard()
    await drive(site, "n-in", Vehicle(PLATE, "blue"))
    await asyncio.sleep(3 * HOUR)
    await stand(site, "n-out", PLATE)
    await site.lanes.drained()
    await site.kill(reboot=True)
    await site.start()
    site.lanes.plate_seen(PlateSeen("n-in", "京A99999", "blue", 98, "e9", picture=JPEG + "京A99999".encode()))
    await site.lanes.raise_arm("n-out", "盒子刚启动", "G1", "key-1")
    await empty(site, "n-out")
    assert [stroke.snapshot for stroke in site.journal.of(Stroke, reason="manual")] == [None]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_on_a_bad_day_every_picture_is_of_the_vehicle_it_is_said_to_be(seed: int) -> None:
    """Tail-gaters, cranks, people who back out, power cuts: no picture of the vehicle before or behind."""
    week = Week(seed, lanes=2, days=1, cars_a_day=250, habits=4.0)
    run(week.run())
    bodies = week.yard.journal.bodies
    plates = {body.stay: body.plate for body in bodies if isinstance(body, Passage) and body.plate is not None}
    seen = 0
    for body in bodies:
        if isinstance(body, Passage | LaneNote | Stroke) and body.snapshot is not None:
            plate = plates.get(body.stay or "") if isinstance(body, Stroke) else body.plate
            assert plate is None or week.yard.pictured(body) == plate, body
            seen += plate is not None
    assert seen >= 5


def test_a_lane_holds_forty_kilobytes_and_the_newest() -> None:
    sent: list[bytes] = []

    def keep(content: bytes) -> Snapshot:
        sent.append(content)
        return Snapshot(sha256=hashlib.sha256(content).hexdigest(), size=len(content))

    pictures = LanePictures(keep)
    first, second, third = (pictures.hold(bytes([n]) * 15_000) for n in range(3))
    pictures.forget_others({first, second, third})  # type: ignore[arg-type]  # none is None
    assert pictures.held_bytes == 30_000 and pictures.snapshot(first) is None
    assert pictures.snapshot(second) == pictures.snapshot(second) is not None and len(sent) == 1
    assert pictures.held_bytes == 15_000, "what went up is only a hash"
    assert pictures.hold(bytes(MOST_BYTES + 1)) is None and pictures.hold(None) is None
    pictures.forget_others(())
    assert pictures.held_bytes == 0 and pictures.snapshot(third) is None
    assert LanePictures(None).hold(b"x") is None
