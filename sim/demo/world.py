"""The demo's world from a seed: 禾序集团, two subsidiaries, three projects, 300 rooms, two sites with four lanes each (Z-06)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

from protocols.wiring import LaneConfig, LanePins, OutagePolicy
from sim.demo.names import Plates, person, phone

GROUP = "禾序集团"


@dataclass(frozen=True, slots=True)
class RoomSeed:
    """A room with its owner, and what bills come from; area in hundredths of a square metre.

    months  not paid, with the running one; spaces: parking spaces; tons of water used last month
    """

    code: str
    building: str
    area_hundredths: int
    owner: str
    pinyin: str
    phone: str
    months: int
    spaces: int
    tons: int

    @property
    def area(self) -> str:
        return f"{self.area_hundredths // 100}.{self.area_hundredths % 100:02d}"


@dataclass(frozen=True, slots=True)
class ProjectSeed:
    """A project; `box` None where no site box stands."""

    code: str
    name: str
    company: str
    kind: str
    rooms: tuple[RoomSeed, ...]
    box: str | None = None
    lanes: tuple[LaneConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class UserSeed:
    """A person who logs in; `at` is the code of a company or project, None for the group."""

    number: str
    name: str
    role: str
    at: str | None
    phone: str = ""


@dataclass(frozen=True, slots=True)
class World:
    companies: tuple[tuple[str, str], ...]
    projects: tuple[ProjectSeed, ...]
    users: tuple[UserSeed, ...]
    monthly: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """box -> (plate, colour) of vehicles with a monthly pass."""


COMPANIES = (("hd", "华东公司"), ("hb", "华北公司"))

USERS = (
    UserSeed("1001", "甄知秋", "hq_finance", None),
    UserSeed("1002", "言守正", "hq_auditor", None),
    UserSeed("1003", "单长乐", "project_manager", None),
    UserSeed("1004", "艾思远", "technician", None),
    UserSeed("1005", "贾常青", "sub_manager", "hd"),
    UserSeed("2001", "梅友仁", "cashier", "fqyy"),
    UserSeed("2002", "吴此仁", "cashier", "xhl"),
    UserSeed("2003", "佟来喜", "cashier", "xyhy"),
    UserSeed("3001", "莫须友", "guard", "fqyy"),
    UserSeed("3002", "时立文", "guard", "xyhy"),
)

_MONTHS, _OFTEN = (1, 2, 3, 4, 7), (10, 5, 3, 1, 1)
"""Most pay in time."""

TARIFF_ID = "casual-2026"
TARIFF = {
    "id": TARIFF_ID,
    "version": 1,
    "title": "地面临停",
    "free_once_per_day": False,
    "table": {
        "first_minutes": 60,
        "first_fen": 500,
        "step_minutes": 30,
        "step_fen": 200,
        "cap_day_fen": 3000,
        "first_block_each_day": True,
    },
}
"""No free minutes: a demo's stays last a minute, and their drivers shall pay."""


def build(seed: int) -> World:
    """The same world for the same seed."""
    rng = random.Random(seed)
    plates = Plates(rng)
    fengqiao, xinghui, xiyu = _rooms(rng, 4, 2, 8, 2), _rooms(rng, 1, 1, 4, 13), _rooms(rng, 3, 2, 10, 2)
    projects = (
        ProjectSeed("fqyy", "枫桥雅苑", "hd", "residential", fengqiao, "fengqiao-01", _lanes("枫桥", "fqyy", 2)),
        ProjectSeed("xhl", "星汇里广场", "hd", "mall", xinghui),
        ProjectSeed("xyhy", "溪语花园", "hb", "residential", xiyu, "xiyu-01", _lanes("溪语", "xyhy", 30)),
    )
    monthly = {p.box: tuple(plates.next() for _ in range(60)) for p in projects if p.box}
    return World(COMPANIES, projects, USERS, monthly)


def _rooms(rng: random.Random, buildings: int, units: int, floors: int, doors: int) -> tuple[RoomSeed, ...]:
    rooms = []
    for building in range(1, buildings + 1):
        for unit in range(1, units + 1):
            for floor in range(1, floors + 1):
                for door in range(1, doors + 1):
                    code = f"{building}-{unit}-{floor}{door:02d}"
                    rooms.append(_room(rng, code, f"{building} 栋"))
    return tuple(rooms)


def _room(rng: random.Random, code: str, building: str) -> RoomSeed:
    name, pinyin = person(rng)
    area, months = rng.randrange(5_800, 14_400), rng.choices(_MONTHS, _OFTEN)[0]
    spaces, tons = rng.choices((0, 1, 2), (12, 7, 1))[0], rng.randrange(4, 30)
    return RoomSeed(code, building, area, name, pinyin, phone(rng), months, spaces, tons)


def month(today: date, back: int) -> tuple[date, date]:
    """First and last day of the month so many before today's."""
    year, number = divmod(today.year * 12 + today.month - 1 - back, 12)
    start = date(year, number + 1, 1)
    after = date(year + number // 11, (number + 1) % 12 + 1, 1)
    return start, after - timedelta(days=1)


def _lanes(site: str, code: str, first_pin: int) -> tuple[LaneConfig, ...]:
    return tuple(
        LaneConfig(
            lane=f"{code}-{gate}-{direction}",
            name=f"{site}{'北门' if gate == 'n' else '南门'}{'入口' if direction == 'in' else '出口'}",
            direction="in" if direction == "in" else "out",
            zone="main",
            pins=_pins(first_pin + 6 * number),
            tariff=TARIFF_ID,
            policy=OutagePolicy(casual_exit="pay", unread_entry="admit", unread_exit="call"),
        )
        for number, (gate, direction) in enumerate((("n", "in"), ("n", "out"), ("s", "in"), ("s", "out")))
    )


def _pins(first: int) -> LanePins:
    return LanePins(loop_a=first, loop_b=first + 1, arm_up=first + 2, arm_down=first + 3, open=first + 4, close=first + 5)
