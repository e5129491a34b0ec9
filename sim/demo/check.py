"""`make demo-check`: the demo without a person, harder: a site cut off, a box killed, then the books compared (Z-02)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from protocols.errors import Refused
from sim.demo import bills, story
from sim.demo.play import Play
from sim.demo.record import STREAMS, Record, Verdict, compare
from sim.demo.stage import Stage
from sim.demo.traffic import SiteTraffic
from sim.demo.world import ProjectSeed
from sim.network import Link
from sim.people.staff import Cashier

CARS, PAYMENTS, READINGS, BILLS = 40, 300, 1_000, 1_200
LOOK_S = 0.1
LONGER_THAN_FREE_S = 61.0
"""Charged minutes are whole ones (Q-70): who stays for less than a minute pays nothing."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds from the first vehicle on. `payers`: how many at each entry stay long enough to pay when they leave."""

    cut_after: float
    cut_for: float
    kill_after: float
    traffic: float
    payers: int = 0


SHORT = Timing(cut_after=8, cut_for=12, kill_after=24, traffic=42)
LONG = Timing(cut_after=62, cut_for=14, kill_after=24, traffic=92, payers=3)


class Check:
    """One run with one seed in a fresh folder; `run` returns the JSON line's content and the verdict."""

    def __init__(self, folder: Path, seed: int, port: int, tell: Callable[[str], None], timing: Timing = SHORT) -> None:
        began = time.monotonic()
        self.play = Play(Stage(folder, port), seed, lambda text: tell(f"{time.monotonic() - began:5.1f} s {text}"))
        self._rng = random.Random(f"check/{seed}")
        self._timing = timing
        self._arriving, self._held = True, ""
        self._sheet_faults: list[str] = []
        self.outage_s = self.catch_up_s = 0.0

    async def run(self) -> tuple[dict[str, Any], Verdict]:
        started = time.monotonic()
        try:
            await self.play.open_sites()
            await asyncio.gather(self._traffic(), self._collect(), self._cut(), self._kill())
            await self._settle()
            record = await self._record()
            hub = await self.play.stage.counts()
            (self.play.stage.folder / "record.json").write_text(json.dumps(asdict(record)))
        finally:
            await self.play.stop()
        verdict = judge(record, hub)
        return summary(record, hub, verdict, self.outage_s, self.catch_up_s, time.monotonic() - started), verdict

    async def _traffic(self) -> None:
        """Every lane busy from start to end, at true speed; a slow machine gets as long again. Then everybody gets through."""
        self.play.tell(f"{sum(len(one.site.lanes) for one in self.play.traffic.values())} 条车道开始通行")
        sites = self.play.traffic.values()
        drives = [asyncio.create_task(self._drive(one, lane)) for one in sites for lane in one.site.lanes]
        await asyncio.sleep(self._timing.traffic)
        with contextlib.suppress(Refused):  # the judge names what was too little
            await until(lambda: self._passages >= CARS, self._timing.traffic)
        self._arriving = False
        await asyncio.gather(*drives)

    @property
    def _passages(self) -> int:
        return sum(len(lane.passed) for traffic in self.play.traffic.values() for lane in traffic.site.lanes.values())

    async def _drive(self, traffic: SiteTraffic, lane: str) -> None:
        direction, payers = traffic.site.configs[lane].direction, self._timing.payers
        while self._arriving:
            await asyncio.sleep(self._rng.uniform(0.1, 1.0))
            if not traffic.site.lanes[lane].busy and self._arriving and self._held != traffic.box.name:
                if direction == "in":
                    traffic.enter(lane, casual=payers > 0 or None, stays_s=LONGER_THAN_FREE_S if payers > 0 else 0)
                    payers -= 1
                else:
                    traffic.leave(lane)

    async def _collect(self) -> None:
        """Three cashiers take what every room owes; one payment in twenty is clicked twice (C-06). Then the mall's day ends."""

        async def at(code: str) -> None:
            for number, room in enumerate(self.play.rooms[code]):
                await self.play.cashiers[code].collect(room, twice=number % 20 == 0, card=number % 7 == 0)

        await self.play.open_counters()
        await asyncio.gather(*(at(code) for code in self.play.cashiers))
        self.play.tell("柜台收款完成")
        sheet = await story.close_the_mall(self.play)
        mall = self.play.cashiers[story.MALL]
        ours = {"takings_fen": sum(mall.taken.values()), "cash_fen": mall.cash_fen, "over_short_fen": -story.SHORT_FEN}
        self._sheet_faults = [
            f"the mall's sheet has {sheet[name]} as {name}, it must be {fen}" for name, fen in ours.items() if sheet[name] != fen
        ]
        self.play.tell("星汇里广场已交班、日结、做缴款单")

    async def _cut(self) -> None:
        """The first site loses the world for a while; drivers there pay the guard in cash."""
        box = self.play.boxes[0]
        traffic = self.play.traffic[box]
        await asyncio.sleep(self._timing.cut_after)
        self.play.tell(f"{box} 断网")
        began = time.monotonic()
        traffic.offline = True
        self.play.stage.boxes[box].link(Link.SILENT)
        await asyncio.sleep(self._timing.cut_for)
        self.play.stage.boxes[box].link(Link.CUT)
        self.play.stage.boxes[box].link(Link.UP)
        self.outage_s = time.monotonic() - began
        await self._acknowledged(box, self._now(await self.play.stage.box_status(box)))
        self.catch_up_s = time.monotonic() - began - self.outage_s
        traffic.offline = False
        self.play.tell(f"{box} 网络恢复，{self.catch_up_s:.1f} 秒补传完")

    async def _kill(self) -> None:
        """kill -9 of the last site's box while its arms are down: what passes a box that is not there, no box can count."""
        box = self.play.boxes[-1]
        traffic = self.play.traffic[box]
        await asyncio.sleep(self._timing.kill_after)
        self._held = box
        await until(lambda: arms_down(traffic), 30)
        self._held = ""
        await self.play.restart_box(box)
        self.play.tell(f"{box} 被强行结束，已重新启动")

    async def _settle(self) -> None:
        """Everybody is through, every box has said everything and is stopped, so that nothing is said after the count."""
        for traffic in self.play.traffic.values():
            await until(lambda traffic=traffic: at_rest(traffic), 40)  # type: ignore[misc]
        for box in self.play.stage.boxes:
            for _ in range(3):
                await self._acknowledged(box, self._now(await self.play.stage.box_status(box)))
                await self.play.stage.boxes[box].child.stop()
                status = await self.play.stage.box_status(box)
                if all(status[stream]["acked"] == status[stream]["seq"] for stream in STREAMS):
                    break
                await self.play.stage.boxes[box].start()

    @staticmethod
    def _now(status: dict[str, Any]) -> dict[str, int]:
        return {stream: status[stream]["seq"] for stream in STREAMS}

    async def _acknowledged(self, box: str, seqs: dict[str, int]) -> None:
        """Until the hub says that it has so many events of each stream."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            known = await self.play.technician.get(f"/api/v1/fleet/boxes/{box}")
            if all(known["streams"].get(stream, {"seq": 0})["seq"] >= seq for stream, seq in seqs.items()):
                return
            await asyncio.sleep(LOOK_S)
        raise Refused("not_acknowledged", f"{box} 的事件一直没有补传完", f"{box}: events stay unacknowledged")

    async def _record(self) -> Record:
        """The simulator's books, and what the boxes say of themselves."""
        record = Record(orders=dict(self.play.provider.paid))
        for traffic in self.play.traffic.values():
            record.lane_cash |= traffic.guard.cash
            for name, lane in traffic.site.lanes.items():
                way = traffic.site.configs[name].direction
                record.lanes[name] = {"in": 0, "out": 0, "strokes": lane.arm.strokes} | {way: len(lane.passed)}
        self._counters(record)
        for box in self.play.stage.boxes:
            record.boxes[box] = await self.play.stage.box_status(box)
        return record

    def _counters(self, record: Record) -> None:
        """What the cashiers took, and every bill they saw against arithmetic of our own."""
        record.bill_faults += self._sheet_faults
        record.short_fen = story.SHORT_FEN
        for project in self.play.world.projects:
            cashier = self.play.cashiers[project.code]
            record.counter |= cashier.taken
            record.receipts_doubled += cashier.doubled
            record.cash_fen += cashier.cash_fen
            record.late_fen += cashier.late_fen
            for account, fen in bills.billed(project, self.play.seeded_on).items():
                record.billed[account] = record.billed.get(account, 0) + fen
            for account, fen in cashier.held.items():
                record.held[account] = record.held.get(account, 0) + fen
            self._bills(record, project, cashier)

    def _bills(self, record: Record, project: ProjectSeed, cashier: Cashier) -> None:
        seeded = self.play.seeded_on
        prepaid = {room.code for room in story.prepaying(project)}
        for room in project.rooms:
            day, lines = cashier.bills.get(room.code, (seeded, []))
            record.bills += len(lines)
            wanted = bills.expected(project, room, seeded, day)
            if room.code in prepaid:
                [fee] = [bill for bill in bills.expected(project, room, seeded, seeded) if bill.item == "property"]
                record.deducted_fen += fee.amount_fen
                record.deducted_late_fen += fee.late_fee_fen
                record.held["prepayment:property"] -= fee.amount_fen + fee.late_fee_fen
                wanted = {bill for bill in wanted if bill.item != "property"}
            record.bill_faults += bills.differences(f"{project.code} {room.code}", wanted, lines)


def judge(record: Record, hub: dict[str, Any]) -> Verdict:
    """The comparison, and that enough happened for it to mean something."""
    verdict = compare(record, hub)
    passages = sum(lane["in"] + lane["out"] for lane in record.lanes.values())
    for what, found, wanted in (
        ("passages", passages, CARS),
        ("counter payments", len(record.counter), PAYMENTS),
        ("bills", record.bills, BILLS),
        ("late fees", record.late_fen, 1),
        ("readings", hub["metering"]["readings"], READINGS),
    ):
        if found < wanted:
            verdict.faults.append(f"only {found} {what}, {wanted} are wanted")
    return verdict


def summary(
    record: Record, hub: dict[str, Any], verdict: Verdict, outage_s: float, catch_up_s: float, seconds: float
) -> dict[str, Any]:
    """The one JSON line of `make demo-check`."""
    return {
        "cars_in": hub["parking"]["cars_in"],
        "cars_out": hub["parking"]["cars_out"],
        "strokes": hub["parking"]["strokes"],
        "strokes_unexplained": hub["parking"]["strokes_unexplained"],
        "payments": sum(hub["payments"][kind] for kind in ("counter", "lane_cash", "order")),
        "readings": hub["metering"]["readings"],
        "events_sent": record.events_sent,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "ledger_balanced": hub["ledger_balanced"],
        "chain_verified": hub["chain_verified"],
        "outage_s": round(outage_s, 1),
        "catch_up_s": round(catch_up_s, 1),
        "seconds": round(seconds, 1),
    }


def arms_down(traffic: SiteTraffic) -> bool:
    return all(lane.inputs.arm_down and not lane.inputs.loop_b for lane in traffic.site.lanes.values())


def at_rest(traffic: SiteTraffic) -> bool:
    return not traffic.site.busy and arms_down(traffic)


async def until(condition: Callable[[], bool], seconds: float) -> None:
    """Refused `took_too_long` when the sites do not come to rest."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Refused("took_too_long", "现场一直没有安静下来", f"the sites did not come to rest within {seconds:.0f} s")
        await asyncio.sleep(LOOK_S)
