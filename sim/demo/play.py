"""The demo's play: the stage set, the people in place, the sites alive; the demo watches it, the check judges it."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.time import SHANGHAI, business_date
from sim.demo import seed as seeding
from sim.demo.meters import SiteMeters
from sim.demo.names import Plates
from sim.demo.stage import Stage, http_client, read_json
from sim.demo.traffic import SiteTraffic
from sim.demo.world import ProjectSeed, build
from sim.people.driver import Phone
from sim.people.provider import Provider
from sim.people.staff import Cashier, Guard, HubUser
from sim.plant.site import Site

TERMINAL = "sim-1"
_KEPT = {"lock", "logs"}


@dataclass
class Play:
    """`tell` is called with a sentence at every step of the start."""

    stage: Stage
    seed: int
    tell: Callable[[str], None]
    traffic: dict[str, SiteTraffic] = field(default_factory=dict)
    meters: dict[str, SiteMeters] = field(default_factory=dict)
    cashiers: dict[str, Cashier] = field(default_factory=dict)
    rooms: dict[str, list[int]] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Hub, world, boxes, sites and people. Refused with a sentence when something is in the way."""
        self.stage.claim_folder()
        notes = self._notes()
        self.client: httpx.AsyncClient = http_client()
        self.provider = Provider("", self.client, now, self._provider_key())
        self.tell("启动消息服务、数据库和总部 …")
        await self.stage.start_hub({"GATEHOUSE_PAY_SIM_KEY": self.provider.public_hex})
        self.provider.notify_url = f"{self.stage.hub_url}/pay/simulated/notice"
        self.world = build(self.seed, date.fromisoformat(notes["today"]))
        if not notes.get("seeded"):
            await self._seed(notes)
        self.projects: dict[str, int] = notes["projects"]
        for project in self.world.projects:
            if project.box:
                await self._open_site(project, notes)
        for project in self.world.projects:
            await self._staff_counter(project)

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
            await cashier.user.close()
        await self.stage.stop()
        if hasattr(self, "client"):
            await self.client.aclose()

    async def restart_box(self, box: str) -> None:
        """kill -9, and what the service manager does then."""
        self.stage.boxes[box].child.kill()
        await self._start_box(box)

    async def _seed(self, notes: dict[str, Any]) -> None:
        self.tell("建立演示数据：两家子公司，三个项目，300 户 …")
        found = await seeding.seed(self.stage, self.world, self.tell)
        notes["projects"] = found.projects
        for box, code in found.codes.items():
            await self.stage.add_box(box)
            await seeding.claim(self.stage, box, code)
            self.tell(f"盒子 {box} 已开通")
        notes["seeded"] = True
        (self.stage.folder / "demo.json").write_text(json.dumps(notes))

    async def _open_site(self, project: ProjectSeed, notes: dict[str, Any]) -> None:
        assert project.box is not None
        if project.box not in self.stage.boxes:
            await self.stage.add_box(project.box)
            seeding.route(self.stage, project.box)
        box = self.stage.boxes[project.box]
        meters = SiteMeters(project.code, self.seed)
        await meters.start()
        self.meters[project.box] = meters
        await seeding.plan_meters(self.stage, self.projects[project.code], project.box, meters.names, meters.buses)
        site = Site({lane.lane: lane for lane in project.lanes}, box.pins, self.client, now)
        await site.start()
        guard = next(user for user in self.world.users if (user.role, user.at) == ("guard", project.code))
        rng = random.Random(f"{self.seed}/{project.box}/{now().isoformat() if notes.get('runs') else ''}")
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

    async def _staff_counter(self, project: ProjectSeed) -> None:
        number = next(user.number for user in self.world.users if (user.role, user.at) == ("cashier", project.code))
        user = HubUser(self.stage.hub_url, number, seeding.PASSWORD)
        await user.login()
        project_id = self.projects[project.code]
        shift = await user.must(
            "POST", "/api/counter/shifts", {"project": project_id, "terminal": TERMINAL, "float_fen": 20_000}
        )
        found = await user.get("/api/estate/rooms", project=project_id, q="", limit=500)
        self.cashiers[project.code] = Cashier(user, project_id, shift["id"])
        self.rooms[project.code] = [room["id"] for room in found["rooms"]]

    def _notes(self) -> dict[str, Any]:
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


