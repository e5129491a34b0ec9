"""The demo's play: the stage set, the people in place, the sites alive; the demo watches it, the check judges it."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.time import SHANGHAI, business_date
from sim.demo import bills, story
from sim.demo import seed as seeding
from sim.demo.meters import SiteMeters
from sim.demo.names import Plates
from sim.demo.stage import Stage, http_client, read_json
from sim.demo.traffic import SiteTraffic
from sim.demo.world import ProjectSeed, build
from sim.people.driver import Phone
from sim.people.provider import Provider
from sim.people.staff import TERMINAL, Cashier, Guard, HubUser
from sim.plant.site import Site

_KEPT = {"lock", "logs"}
FLOAT_FEN = 20_000


@dataclass
class Play:
    """`tell` is called with a sentence at every step of the start."""

    stage: Stage
    seed: int
    tell: Callable[[str], None]
    traffic: dict[str, SiteTraffic] = field(default_factory=dict)
    meters: dict[str, SiteMeters] = field(default_factory=dict)
    cashiers: dict[str, Cashier] = field(default_factory=dict)
    rooms: dict[str, list[str]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    """Projects whose business day is over: nobody takes money there."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def open_sites(self) -> None:
        """Hub, organisation, boxes and sites: from here on vehicles may come. Refused when something is in the way."""
        self.stage.claim_folder()
        self._notes = self._read_notes()
        self.client: httpx.AsyncClient = http_client()
        self.provider = Provider("", self.client, now, self._provider_key())
        self.tell("启动消息服务、数据库和总部 …")
        await self.stage.start_hub({"GATEHOUSE_PAY_SIM_KEY": self.provider.public_hex})
        self.provider.notify_url = f"{self.stage.hub_url}/pay/simulated/notice"
        self.world, self.seeded_on = build(self.seed), date.fromisoformat(self._notes["today"])
        codes: dict[str, str] = {}
        if self.fresh:
            self.tell("建立演示数据：两家子公司，三个项目，300 户 …")
            found = await seeding.seed_sites(self.stage, self.world)
            self._notes["projects"], codes = found.projects, found.codes
        self.projects: dict[str, int] = self._notes["projects"]
        self.manager = await self.log_in(seeding.MANAGER)
        self.technician = await self.log_in(seeding.TECHNICIAN)
        await asyncio.gather(*(self._open_site(project, codes) for project in self.world.projects if project.box))
        self.tell("两个小区的盒子、车道和电表在线")

    async def open_counters(self) -> None:
        """Rooms, their bills, and a cashier with an open shift in every project whose day is not closed."""
        if self.fresh:
            await seeding.seed_rooms(self.manager, self.world, self.projects)
        for project in self.world.projects:
            await self._staff_counter(project)
        if self.fresh:
            await story.prepay(self)
            await self._bill_rooms()
            await story.move_money(self)
            await story.ask_for_things(self)

    def keep(self) -> None:
        """The world stands: the next start goes on with it."""
        self._notes["seeded"] = True
        (self.stage.folder / "demo.json").write_text(json.dumps(self._notes))

    async def stop(self) -> None:
        """Everything down; what the hub has stays."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for traffic in self.traffic.values():
            await traffic.site.stop()
        for meters in self.meters.values():
            await meters.stop()
        for cashier in self.cashiers.values():
            await cashier.user.aclose()
        await self.stage.stop()
        for client in ("manager", "technician", "client"):
            if hasattr(self, client):
                await getattr(self, client).aclose()

    @property
    def fresh(self) -> bool:
        """No earlier start has left its world here."""
        return not self._notes.get("seeded")

    @property
    def boxes(self) -> list[str]:
        """In the order of the world's projects."""
        return [project.box for project in self.world.projects if project.box]

    async def restart_box(self, box: str) -> None:
        """kill -9, and what the service manager does then."""
        self.stage.boxes[box].child.kill()
        await self._start_box(box)

    async def _open_site(self, project: ProjectSeed, codes: Mapping[str, str]) -> None:
        assert project.box is not None
        box = await self.stage.add_box(project.box)
        if project.box in codes:
            await seeding.claim(self.stage, project.box, codes[project.box])
        else:
            seeding.route(self.stage, project.box)
        meters = SiteMeters(project.code, self.seed)
        await meters.start()
        self.meters[project.box] = meters
        await seeding.plan_meters(self.manager, self.projects[project.code], project.box, meters.names, meters.buses)
        site = Site({lane.lane: lane for lane in project.lanes}, box.pins, self.client, now)
        await site.start()
        guard = next(user for user in self.world.users if (user.role, user.at) == ("guard", project.code))
        rng = random.Random(f"{self.seed}/{project.box}/{now().isoformat() if self._notes.get('runs') else ''}")
        self.traffic[project.box] = SiteTraffic(
            box,
            site,
            Phone(self.stage.hub_url, self.client, self.provider),
            Guard(guard.number, seeding.PIN, self.client),
            self.world.monthly[project.box],
            rng,
            Plates(rng),
        )
        await self._start_box(project.box)
        self._tasks.append(asyncio.create_task(self.traffic[project.box].serve_drivers()))

    async def _start_box(self, box: str) -> None:
        await self.stage.boxes[box].start()
        self.traffic[box].site.camera_base = self.stage.boxes[box].camera

    async def _bill_rooms(self) -> None:
        finance = await self.log_in(seeding.FINANCE)
        try:
            made = await bills.seed_all(self.manager, finance, self.world.projects, self.projects, self.seeded_on)
        finally:
            await finance.aclose()
        for project in self.world.projects:
            self.tell(f"{project.name}：{len(project.rooms)} 户，{made[project.code]} 笔应收")

    async def _staff_counter(self, project: ProjectSeed) -> None:
        number = next(user.number for user in self.world.users if (user.role, user.at) == ("cashier", project.code))
        user = await self.log_in(number)
        project_id = self.projects[project.code]
        closes = await user.get("/api/v1/counter/closes", project=project_id)
        if closes["closed_through"] is not None and closes["closed_through"] >= business_date(now()).isoformat():
            await user.aclose()
            return
        shift = await user.must(
            "POST", "/api/v1/counter/shifts", {"project": project_id, "terminal": TERMINAL, "float_fen": FLOAT_FEN}
        )
        self.cashiers[project.code] = Cashier(user, project_id, shift["id"], FLOAT_FEN)
        self.rooms[project.code] = [room.code for room in project.rooms]

    async def log_in(self, number: str) -> HubUser:
        user = HubUser(self.stage.hub_url, number, seeding.PASSWORD)
        await user.login()
        return user

    def _read_notes(self) -> dict[str, Any]:
        """What an earlier start left. One that never got through its seeding is cleared away: a half world is no demo."""
        notes = read_json(self.stage.folder / "demo.json")
        if notes is None:
            for entry in self.stage.folder.iterdir():
                if entry.name not in _KEPT:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            return {"today": business_date(now()).isoformat()}
        return notes | {"runs": True}

    def _provider_key(self) -> Ed25519PrivateKey:
        path: Path = self.stage.folder / "provider.key"
        if not path.exists():
            path.write_text(Ed25519PrivateKey.generate().private_bytes_raw().hex())
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text()))


def now() -> datetime:
    return datetime.now(SHANGHAI)
