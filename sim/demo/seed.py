"""The demo's world told to an empty hub through its JSON interface, as a customer's people would (Z-06)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from protocols.wiring import BusConfig
from sim.demo.stage import Stage
from sim.demo.world import COMPANIES, GROUP, TARIFF, TARIFF_ID, ProjectSeed, UserSeed, World
from sim.people.staff import HubUser

ADMIN = ("1000", "系统管理员")
PASSWORD = "menfang-demo-1"
"""Of every person of the demo; it is printed, and the demo listens on loopback only."""
PIN = "2468"

FINANCE, MANAGER, TECHNICIAN, SUB_MANAGER = "1001", "1003", "1004", "1005"


@dataclass
class Seeded:
    """What the hub calls things: project code -> its id, box -> a claim code of this start (only for boxes not yet claimed)."""

    projects: dict[str, int] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)


async def make_admin(stage: Stage) -> None:
    """The first person of an empty hub (`gatehouse-hub create-admin`)."""
    number, name = ADMIN
    words = ("create-admin", "--group", GROUP, "--number", number, "--name", name)
    await stage.run("gatehouse-hub", *words, environment={"GATEHOUSE_PASSWORD": PASSWORD})


async def seed_sites(stage: Stage, world: World) -> Seeded:
    """Organisation, people, boxes with their lanes, tariffs, passes and guards."""
    await make_admin(stage)
    found = Seeded()
    people = {user.number: user for user in world.users}
    async with _as(stage, ADMIN[0]) as admin:
        await _add_users(admin, [people[FINANCE]])
        async with _as(stage, FINANCE) as finance:
            for code, name in COMPANIES:
                await finance.must("POST", "/api/v1/estate/companies", {"code": code, "name": name})
            for project in world.projects:
                body = {"company": project.company, "code": project.code, "name": project.name, "kind": project.kind}
                found.projects[project.code] = (await finance.must("POST", "/api/v1/estate/projects", body))["id"]
        await _add_users(admin, [user for user in world.users if user.number != FINANCE])
    sites = [project for project in world.projects if project.box]
    async with _as(stage, TECHNICIAN) as technician:
        for project in sites:
            box = {"box": project.box, "project": found.projects[project.code]}
            found.codes[project.box or ""] = (await technician.must("POST", "/api/v1/fleet/boxes", box))["code"]
    async with _as(stage, MANAGER) as manager:
        for project in sites:
            guards = [user for user in world.users if (user.role, user.at) == ("guard", project.code)]
            await _add_site(manager, found.projects[project.code], project, world.monthly[project.box or ""], guards)
    return found


async def seed_rooms(manager: HubUser, world: World, projects: Mapping[str, int]) -> None:
    """Rooms with their owners."""
    for project in world.projects:
        await _add_rooms(manager, projects[project.code], project)


async def plan_meters(
    manager: HubUser, project_id: int, box: str, names: Sequence[tuple[str, str]], buses: Iterable[BusConfig]
) -> None:
    """Tell the hub which meters hang on which bus; at every start, since the simulated gateways move."""
    meters = [{"number": number, "kind": "electric", "name": name} for number, name in names]
    body = {"box": box, "meters": meters, "buses": [bus.model_dump(mode="json") for bus in buses]}
    await manager.must("PUT", f"/api/v1/metering/plans/{project_id}", body)


async def claim(stage: Stage, box: str, code: str) -> None:
    """The technician's step on the box, and the box's addresses through its own line to the world."""
    place = stage.boxes[box]
    hub = f"https://127.0.0.1:{place.https.port}"
    await stage.run("gatehouse-provision", "claim", hub, code, str(place.folder))
    route(stage, box)


def route(stage: Stage, box: str) -> None:
    """Broker and hub are reached through the box's relays, whose ports change with every start."""
    place = stage.boxes[box]
    path = place.folder / "box.toml"
    text = re.sub(r"addresses = .*", f'addresses = ["mqtt://127.0.0.1:{place.mqtt.port}"]', path.read_text())
    path.write_text(re.sub(r"url = .*", f'url = "https://127.0.0.1:{place.https.port}"', text))


class _as:  # reads as a word: `async with _as(stage, "1001") as finance`
    """A person logged in for the length of a block."""

    def __init__(self, stage: Stage, number: str) -> None:
        self._user = HubUser(stage.hub_url, number, PASSWORD)

    async def __aenter__(self) -> HubUser:
        await self._user.login()
        return self._user

    async def __aexit__(self, *_: object) -> None:
        await self._user.aclose()


async def _add_users(admin: HubUser, users: Iterable[UserSeed]) -> None:
    companies = {code for code, _ in COMPANIES}
    for user in users:
        body: dict[str, Any] = {"number": user.number, "name": user.name, "password": PASSWORD, "role": user.role}
        if user.at is not None:
            body["company" if user.at in companies else "project"] = user.at
        await admin.must("POST", "/api/v1/access/users", body)


async def _add_rooms(manager: HubUser, project_id: int, project: ProjectSeed) -> None:
    rooms = [
        {
            "code": room.code,
            "building": room.building,
            "area": room.area,
            "owner": room.owner,
            "pinyin": room.pinyin,
            "phone": room.phone,
        }
        for room in project.rooms
    ]
    await manager.must("POST", "/api/v1/estate/rooms", {"project": project_id, "rooms": rooms})


async def _add_site(
    manager: HubUser,
    project_id: int,
    project: ProjectSeed,
    monthly: Sequence[tuple[str, str]],
    guards: Sequence[UserSeed],
) -> None:
    site = {
        "box": project.box,
        "lanes": [lane.model_dump(mode="json") for lane in project.lanes],
        "tariffs": {TARIFF_ID: TARIFF},
        "calendar": {"holidays": [], "makeup_workdays": [], "weekend_is_holiday_price": False},
    }
    await manager.must("PUT", f"/api/v1/parking/sites/{project_id}", site)
    entries = [
        {"plate": plate, "category": "monthly", "start": "2026-01-01T00:00:00+08:00", "last": "2099-12-31T23:59:59+08:00"}
        for plate, _ in monthly
    ]
    await manager.must("POST", "/api/v1/parking/passes", {"project": project_id, "entries": entries})
    for guard in guards:
        body = {"project": project_id, "number": guard.number, "name": guard.name, "pin": PIN}
        await manager.must("POST", "/api/v1/parking/guards", body)
