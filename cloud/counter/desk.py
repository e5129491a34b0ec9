"""The counter's page without HTML: whose lines are open, what is held for them, where the shift stands. Amounts in fen."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cloud.access.service import setting
from cloud.counter import store, store_desk
from cloud.counter.collecting import LATE_FIRST
from cloud.counter.desk_money import Held, Policy
from cloud.counter.domain import Receipt
from cloud.counter.rounding import rounding_of
from cloud.counter.store import Shift
from cloud.counter.store_desk import Checked, Progress
from cloud.estate import service as estate
from cloud.fees.service import Line
from cloud.shared.db import Database, Tx
from cloud.wallets import service as wallets
from protocols.money import Fen

_NOTES = ((10_000, "100 元", "张"), (5_000, "50 元", "张"), (2_000, "20 元", "张"), (1_000, "10 元", "张"), (500, "5 元", "张"),
          (100, "1 元", "张"), (10, "1 角", "枚"))  # fmt: skip
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose lines are open: the room and as much of its payer as a cashier may see (O-05)."""

    room_id: int
    code: str
    area: str | None
    name: str | None
    phone_tail: str
    plates: tuple[str, ...]

    @property
    def long(self) -> str:
        """'3-1-502' -> '3 栋 1 单元 502'; other forms as they are."""
        parts = self.code.split("-")
        return f"{parts[0]} 栋 {parts[1]} 单元 {parts[2]}" if len(parts) == 3 else self.code


def due_this_month(lines: Sequence[Line], today: date) -> frozenset[int]:
    """What is ticked when an owner is opened: everything due by the end of this month."""
    end = today.replace(day=calendar.monthrange(today.year, today.month)[1])
    return frozenset(line.id for line in lines if line.due_date <= end)


def notes(change: Fen) -> str:
    """Which notes and coins make the change: '5 元 1 张 · 1 元 3 张'."""
    parts = []
    for value, name, unit in _NOTES:
        count, change = divmod(change, value)
        if count:
            parts.append(f"{name} {count} {unit}")
    if change:
        parts.append(f"{change} 分")
    return " · ".join(parts)


async def policy_of(tx: Tx, project: estate.Project, day: date) -> Policy:
    """What the company decided about collecting, and what it may still let go of today."""
    first = await setting(tx, LATE_FIRST, project.company_id) is True
    return Policy(first, await rounding_of(tx, project.id, project.company_id, day))


@dataclass(frozen=True, slots=True)
class Takes:
    """What may be taken as a deposit here: items (code -> name), and what it may be for."""

    items: tuple[tuple[str, str], ...]
    objects: tuple[str, ...]


async def takes_of(tx: Tx, project: estate.Project, owner: Owner) -> Takes:
    """The company's deposit items; the room, its cars and their spaces."""
    items = await store_desk.deposit_items(tx, project.company_id)
    cars = await estate.vehicles_of(tx, [], [owner.room_id])
    spaces = [f"车位 {one['space']}" for one in cars if one["space"]]
    return Takes(tuple(items), tuple(dict.fromkeys([owner.code, *spaces, *(one["plate"] for one in cars)])))


async def held_of(tx: Tx, project_id: int, room_id: int) -> Held:
    """What is held for a room and its payer."""
    found = await wallets.wallets_of_room(tx, project_id, room_id)
    deposits = await wallets.deposits_of_room(tx, project_id, room_id)
    held = tuple((f"wallet:{one.id}", one.purpose, one.balance_fen) for one in found if one.balance_fen)
    return Held(held, sum(one.balance_fen for one in deposits))


@dataclass(frozen=True, slots=True)
class Desk:
    """A cashier's counter: the open shift, where it stands, and the last receipts."""

    shift: Shift
    project: estate.Project
    progress: Progress
    last: Sequence[Receipt]

    @property
    def next_no(self) -> str | None:
        """The number the next receipt gets; None when the book is used up."""
        return None if self.progress.left == 0 else f"{self.shift.book.code} {self.progress.next_number:07d}"


async def desk_of(tx: Tx, user_id: int) -> Desk | None:
    """None: no shift is open."""
    shift = await store.open_shift_of(tx, user_id)
    if shift is None:
        return None
    project = await estate.get_project(tx, shift.project_id)
    last = await store.receipts(tx, await store_desk.last_of_shift(tx, shift.id, 3))
    return Desk(shift, project, await store_desk.progress(tx, shift.id), last[::-1])


async def owner_of(tx: Tx, project_id: int, room_id: int) -> Owner:
    """NotFound `room_not_found` outside the shift's project."""
    room = await estate.get_room(tx, project_id, room_id)
    found = next((one for one in await estate.search_rooms(tx, room.code, project_id=project_id) if one.id == room_id), None)
    name = await estate.owner_name(tx, room.payer_id) if room.payer_id else None
    area = f"{room.area}" if room.area else None
    return Owner(room.id, room.code, area, name, found.phone_tail if found else "", found.plates if found else ())


async def check_receipt(db: Database, book: str, number: int, code: str) -> Checked | None:
    """The receipt that carries this book, number and check code; None when there is none: not genuine."""
    plain = code.upper().replace("-", "")
    if len(plain) != 8 or any(char not in _CROCKFORD for char in plain) or not 0 < number < 2**63:
        return None
    bits = 0
    for char in plain:
        bits = bits << 5 | _CROCKFORD.index(char)
    return await store_desk.by_code(db, book, number, bits.to_bytes(5))
