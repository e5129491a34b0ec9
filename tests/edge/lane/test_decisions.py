"""Who may pass and what is owed, decided on the box alone (K-03, K-20, K-24, K-27, K-31, K-32, L-08, L-31, L-34, Q-86, Q-94)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from edge.ports import PlateSeen
from protocols import tariff
from protocols.time import ClockQuality, parse_instant
from protocols.uplink.commands import Command
from protocols.uplink.events import FeeDue, LaneNote, Passage, Stroke
from sim.plant.vehicle import Vehicle
from tests.support.lanes import TARIFF, Yard, lane_config, papers, until
from tests.support.virtual import virtual


def right(plate: str, category: str = "monthly", last: str = "2026-12-31T23:59:59+08:00") -> dict[str, str]:
    return {"plate": plate, "category": category, "start": "2026-11-01T00:00:00+08:00", "last": last}


@dataclass
class Scene:
    """An entry and an exit; each story lets vehicles come and go."""

    yard: Yard

    @classmethod
    async def of(cls, *passes: dict[str, str], **policy: Any) -> Scene:
        configs = (lane_config("n-in", **policy), lane_config("n-out", 12, **policy))
        return cls(await Yard(papers(configs, passes), configs).start())

    async def come(self, plate: str, colour: str = "blue") -> None:
        self.yard.plant["n-in"].arrive(Vehicle(plate, colour))
        await self.empty("n-in")

    async def empty(self, lane: str) -> None:
        plant = self.yard.plant[lane]
        await until(lambda: not plant.lane.busy and plant.lane.inputs.arm_down)
        await self.yard.lanes.drained()

    async def stand(self, lane: str, plate: str, colour: str = "blue") -> Any:
        """The vehicle stands before the arm, and the lane has made up its mind."""
        self.yard.plant[lane].arrive(Vehicle(plate, colour))
        await until(lambda: self.yard.view(lane).state in ("held", "owing"), 20)
        await self.yard.lanes.drained()
        return self.yard.view(lane)

    async def leave(self, plate: str, colour: str = "blue") -> Passage:
        self.yard.plant["n-out"].arrive(Vehicle(plate, colour))
        await self.empty("n-out")
        found: Passage = self.yard.journal.of(Passage, direction="out")[-1]
        return found

    def strokes(self, lane: str) -> list[str]:
        return [stroke.reason for stroke in self.yard.journal.of(Stroke, lane=lane)]

    def notes(self) -> list[str]:
        return [note.what for note in self.yard.journal.of(LaneNote)]


@virtual
async def test_the_black_list_stays_outside() -> None:
    scene = await Scene.of(right("京A66666", "blacklist"))
    view = await scene.stand("n-in", "京A66666")
    assert view.state == "held" and scene.notes() == ["refused"] and not scene.strokes("n-in")


@virtual
async def test_special_vehicles_and_passes_leave_without_paying() -> None:
    """K-03: the reason of the stroke is the rule's."""
    scene = await Scene.of(right("京A11111"), right("京A22222", "free"))
    for plate, colour, category in (
        ("京A11111", "blue", "monthly"),
        ("京A22222", "blue", "free"),
        ("京A0001警", "white", "special"),
    ):
        await scene.come(plate, colour)
        await asyncio.sleep(7_200)
        left = await scene.leave(plate, colour)
        assert (left.category, left.fee_fen, left.paid_fen) == (category, 0, 0)
    assert scene.strokes("n-out") == ["pass", "free", "free"] and not scene.yard.journal.of(FeeDue)


@virtual
async def test_the_box_explains_its_price_in_the_hubs_own_bytes() -> None:
    """K-21: entry, exit and version in the event give the same quote again."""
    scene = await Scene.of()
    await scene.come("京A12345")
    await asyncio.sleep(30 * 3_600 + 77)
    await scene.stand("n-out", "京A12345")
    (due,) = scene.yard.journal.of(FeeDue)
    stay = tariff.Stay(parse_instant(due.entered_at), parse_instant(due.left_at), vehicle_class=due.vehicle_class)
    again = tariff.quote(tariff.parse_rules(TARIFF), stay, calendar=tariff.Calendar(frozenset(), frozenset(), False))
    assert again.to_json().decode() == due.quote and again.due_fen == due.fee_fen and due.tariff == "casual@1"


@virtual
async def test_the_free_time_is_free() -> None:
    scene = await Scene.of()
    await scene.come("京A12345")
    await asyncio.sleep(600)
    left = await scene.leave("京A12345")
    assert (left.fee_fen, left.paid_fen, scene.strokes("n-out")) == (0, 0, ["free"])


@virtual
async def test_a_pass_that_ends_inside_the_stay_covers_its_days() -> None:
    """Q-86: from the next midnight the casual tariff as a new stay."""
    scene = await Scene.of(right("京A11111", last="2026-11-23T23:59:59+08:00"))
    await scene.come("京A11111")
    await asyncio.sleep(18 * 3_600)
    view = await scene.stand("n-out", "京A11111")
    assert view.fee_fen == 1000 and view.lines[0].startswith("月租")


@virtual
async def test_paid_inside_then_out_in_time_or_not() -> None:
    """K-24, Q-84: the hub tells what was paid inside; within the free exit time nothing more is due."""
    for minutes, more in ((10, None), (70, 1000)):
        scene = await Scene.of()
        await scene.come("京A12345")
        stay = scene.yard.journal.of(Passage)[0].stay
        await asyncio.sleep(3_500)
        args = {"lane": "n-out", "stay": stay, "reason": "paid", "reference": "P1", "amount_fen": 500}
        assert await scene.yard.lanes.command(Command(box="box-1", id="c" * 8, name="open", nonce="", args=args)) == "noted"
        await asyncio.sleep(minutes * 60)
        if more is None:
            left = await scene.leave("京A12345")
            assert (left.fee_fen, left.paid_fen, scene.strokes("n-out")) == (500, 500, ["paid"])
        else:
            assert (await scene.stand("n-out", "京A12345")).fee_fen == more


async def _order_kept(scene: Scene) -> tuple[str, dict[str, Any]]:
    """The vehicle stood at the exit an hour after it came, got an order over 5.00, did not pay and drove back in."""
    await scene.come("京A12345")
    await asyncio.sleep(3_000)
    car = Vehicle("京A12345", "blue")
    scene.yard.plant["n-out"].arrive(car)
    await until(lambda: scene.yard.view("n-out").state == "owing", 20)
    (due,) = scene.yard.journal.of(FeeDue)
    scene.yard.plant["n-out"].turn_back(car)
    await scene.empty("n-out")
    assert due.fee_fen == 500
    args = {"lane": "n-out", "stay": due.stay, "reason": "paid", "reference": "P1", "amount_fen": 500, "as_of": due.left_at}
    return due.stay, args


async def _paid(scene: Scene, args: dict[str, Any]) -> str:
    return await scene.yard.lanes.command(Command(box="box-1", id="c" * 8, name="open", nonce="", args=args))


@virtual
async def test_an_old_order_over_a_smaller_fee_opens_nothing() -> None:
    """K-24, K-25: paid at the exit hours later, it counts and the rest stays due."""
    scene = await Scene.of()
    _, args = await _order_kept(scene)
    await asyncio.sleep(5 * 3_600)
    assert (await scene.stand("n-out", "京A12345")).fee_fen == 3000
    assert await _paid(scene, args) == "noted"
    await until(lambda: scene.yard.view("n-out").fee_fen == 2500)
    assert scene.strokes("n-out") == []
    due = scene.yard.journal.of(FeeDue)[-1]
    assert (due.fee_fen, due.stay) == (2500, args["stay"])
    assert await _paid(scene, args | {"reference": "P2", "amount_fen": 2500, "as_of": due.left_at}) == "opened"
    await scene.empty("n-out")
    assert (scene.yard.journal.of(Passage, direction="out")[-1].paid_fen, scene.strokes("n-out")) == (3000, ["paid"])


@virtual
async def test_an_old_order_paid_just_before_leaving_buys_no_free_minutes() -> None:
    """Q-84: the minutes to leave count from when the amount was due, not from when somebody got round to paying it."""
    scene = await Scene.of()
    _, args = await _order_kept(scene)
    await asyncio.sleep(5 * 3_600)
    assert await _paid(scene, args) == "noted"
    await asyncio.sleep(60)
    assert (await scene.stand("n-out", "京A12345")).fee_fen == 2500


@virtual
async def test_who_comes_in_twice_never_left() -> None:
    """K-32: the old stay ends as lost, nothing is charged, only the new one is inside."""
    scene = await Scene.of()
    await scene.come("京A12345")
    await asyncio.sleep(3_600)
    await scene.come("京A12345")
    first, second = scene.yard.journal.of(Passage)
    (note,) = scene.yard.journal.of(LaneNote)
    assert (note.what, note.stay) == ("abandoned", first.stay)
    assert list(scene.yard.journal.states("stay/")) == [f"stay/{second.stay}"]


@virtual
async def test_without_a_plate() -> None:
    """K-33, L-08: in by policy, out only by a person."""
    scene = await Scene.of()
    for plant in scene.yard.plant.values():
        plant.unread.add("无牌")
    await scene.come("无牌")
    assert scene.notes() == ["unread"] and scene.yard.journal.of(Passage)[0].plate is None
    view = await scene.stand("n-out", "无牌")
    assert view.state == "held" and not scene.strokes("n-out")
    await scene.yard.lanes.raise_arm("n-out", "无牌车，已登记", "G1", "key-1")
    await scene.empty("n-out")
    assert scene.strokes("n-out") == ["manual"]


@virtual
async def test_a_blurred_plate_opens_no_exit_by_itself() -> None:
    """L-08: the vehicle inside with this very plate is proposed."""
    scene = await Scene.of(right("京A11111"))
    await scene.come("京A11111")
    scene.yard.plant["n-out"].unread.add("京A11111")
    scene.yard.plant["n-out"].arrive(Vehicle("京A11111", "blue"))
    await until(lambda: scene.yard.view("n-out").state == "arriving")
    scene.yard.lanes.plate_seen(PlateSeen("n-out", "京A11111", "blue", 31, "e1"))
    view = scene.yard.view("n-out")
    assert view.state == "held" and [found["plate"] for found in view.candidates] == ["京A11111"]
    scene.yard.lanes.correct("n-out", "京A·11111")
    await scene.empty("n-out")
    assert scene.strokes("n-out") == ["pass"]


@virtual
async def test_a_pass_without_an_entry_leaves() -> None:
    """K-31: pass check before a person is called."""
    scene = await Scene.of(right("京A11111"))
    left = await scene.leave("京A11111")
    assert (left.category, left.entered_at, scene.strokes("n-out")) == ("monthly", None, ["pass"])


@virtual
async def test_cut_off_a_site_may_note_and_release_and_does_so_only_then() -> None:
    """L-31: the policy says so; the fee stays on the record."""
    scene = await Scene.of(casual_exit="note_and_release")
    for online, paid in ((True, None), (False, 0)):
        scene.yard.online = online
        await scene.come("京A12345")
        await asyncio.sleep(3_500)
        if online:
            view = await scene.stand("n-out", "京A12345")
            await scene.yard.lanes.take_cash("n-out", view.stay, 500, "G1", "key-1")
            await scene.empty("n-out")
        else:
            left = await scene.leave("京A12345")
            assert (left.fee_fen, left.paid_fen) == (500, paid)


@virtual
async def test_a_clock_nobody_may_trust_gives_no_fee() -> None:
    """L-34, Q-94: a person decides; never a silently low fee."""
    scene = await Scene.of()
    scene.yard.clock.quality = ClockQuality.UNCERTAIN
    await scene.come("京A12345")
    await asyncio.sleep(7_200)
    view = await scene.stand("n-out", "京A12345")
    assert view.state == "held" and view.fee_fen is None and scene.notes() == ["call"]


@virtual
async def test_late_and_repeated_readings_do_nothing() -> None:
    """L-07."""
    scene = await Scene.of(right("京A11111"))
    plant = scene.yard.plant["n-out"]
    plant.unread.add("京A11111")
    plant.arrive(Vehicle("京A11111", "blue"))
    await until(lambda: scene.yard.view("n-out").state == "arriving")
    scene.yard.lanes.plate_seen(PlateSeen("n-out", "京A11111", "blue", 98, "e1", late=True))
    scene.yard.lanes.plate_seen(PlateSeen("nowhere", "京A11111", "blue", 98, "e2"))
    assert scene.yard.view("n-out").state == "arriving"
    scene.yard.lanes.plate_seen(PlateSeen("n-out", "京A11111", "blue", 98, "e3"))
    scene.yard.lanes.plate_seen(PlateSeen("n-out", "京A11111", "blue", 98, "e3"))
    await scene.empty("n-out")
    assert scene.strokes("n-out") == ["pass"]
