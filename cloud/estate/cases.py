"""What people change about projects, rooms and owners, each with its entry in the audit log. Pages and JSON do the same here.

`access` is a neighbour of this slice: `cloud/app.py` hands in its `audit`, and what higher slices know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cloud.estate import owners, payers, tree
from cloud.estate.domain_owners import OwnerRecord, OwnerValues, Relation
from cloud.estate.domain_tree import BankAccount, ProjectRecord, RoomRecord, RoomValues
from cloud.estate.identity import IdentityKeys, identity_keys
from cloud.shared.db import Tx
from protocols.errors import NotFound, Refused
from protocols.time import business_date

Audit = Callable[..., Awaitable[int]]
"""`access.audit`."""

Charged = Callable[[Tx, int], Awaitable[bool]]
"""Whether something was ever charged to an owner (`fees`): their number stands then (O-04)."""

Items = Callable[[Tx, int], Awaitable[Mapping[str, str]]]
"""The fee items of a company by code, in their order (`fees`)."""

Owed = Callable[[Tx, int, int, date], Awaitable[tuple[int, int]]]
"""(project, room, day) -> how many open lines a room has, and their fen (`fees`)."""


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody does something now, in this transaction."""

    tx: Tx
    keys: IdentityKeys
    user: Any
    now: datetime

    @property
    def today(self) -> date:
        return business_date(self.now)

    @property
    def by(self) -> str:
        return f"{self.user.number} {self.user.name}"[:60]


def act_of(tx: Tx, hub: Any, user: Any) -> Act:
    return Act(tx, identity_keys(hub.settings.keys), user, hub.clock.now())


def shown(values: RoomValues | OwnerValues) -> dict[str, str]:
    """Values as a form shows them; an identity number and phones are not among them."""
    found = {}
    for one in fields(values):
        value = getattr(values, one.name)
        if one.name not in ("phones", "identity"):
            found[one.name] = "" if value is None else "、".join(value) if isinstance(value, tuple) else str(value)
    return found


@dataclass(frozen=True, slots=True)
class Cases:
    """`items` and `owed` None: pages show codes of items, and say nothing of open lines."""

    audit: Audit
    charged: Charged
    items: Items | None = None
    owed: Owed | None = None

    async def item_names(self, tx: Tx, company_id: int) -> Mapping[str, str]:
        return await self.items(tx, company_id) if self.items is not None else {}

    async def add_owner(self, at: Act, project_id: int, values: OwnerValues, *, source: str = "entered") -> OwnerRecord:
        made = await owners.add_owner(at.tx, at.keys, project_id, values, source=source, by=at.by, at=at.now)
        after = await owners.owner_record(at.tx, made)
        await self._changed(at, "estate.owner", f"owner:{made}", None, after)
        return after

    async def edit_owner(self, at: Act, owner_id: int, version: int, values: OwnerValues) -> OwnerRecord:
        fixed = await self.charged(at.tx, owner_id)
        before, after = await owners.edit_owner(at.tx, at.keys, owner_id, version, values, charged=fixed, by=at.by, at=at.now)
        await self._changed(at, "estate.owner", f"owner:{owner_id}", before, after)
        return after

    async def merge_owners(self, at: Act, keep: int, gone: int, reason: str) -> OwnerRecord:
        """Two records of one person become one (O-06). Refused `reason_missing`."""
        if len(reason.strip()) < 2:
            raise Refused("reason_missing", "写一句怎么认定是同一个人", "a reason is needed", field="reason")
        kept = await owners.merge_owners(at.tx, keep, gone, by=at.by, at=at.now)
        await self._note(at, "estate.merge_owners", f"owner:{keep}", kept, {"owner": gone}, {"owner": keep}, reason)
        return kept

    async def see_identity(self, at: Act, owner_id: int, reason: str) -> str:
        number = await owners.see_identity(at.tx, at.keys, owner_id, reason, by=at.by, at=at.now)
        owner = await owners.owner_record(at.tx, owner_id)
        await self._note(at, "estate.see_identity", f"owner:{owner_id}", owner, None, None, reason)
        return number

    async def put_vehicle(self, at: Act, owner_id: int, plate: str, room_id: int | None, **more: str) -> int:
        owner = await owners.owner_record(at.tx, owner_id)
        if room_id is not None and (await tree.room_record(at.tx, room_id)).project_id != owner.project_id:
            raise NotFound("room_not_found", "这个项目没有这个房间", f"no room {room_id} in the project", field="room")
        made = await owners.put_vehicle(at.tx, owner_id, plate, room_id=room_id, **more)
        await self._note(at, "estate.vehicle", f"owner:{owner_id}", owner, None, {"vehicle": made}, "")
        return made

    async def drop_vehicle(self, at: Act, owner_id: int, vehicle_id: int) -> None:
        owner = await owners.owner_record(at.tx, owner_id)
        await owners.drop_vehicle(at.tx, owner_id, vehicle_id)
        await self._note(at, "estate.vehicle", f"owner:{owner_id}", owner, {"vehicle": vehicle_id}, None, "")

    async def add_room(self, at: Act, project_id: int, values: RoomValues, *, status: str, since: date | None) -> RoomRecord:
        made = await tree.add_room(at.tx, project_id, values, status=status, since=since, by=at.by, at=at.now)
        after = await tree.room_record(at.tx, made)
        await self._changed(at, "estate.room", f"room:{made}", None, after)
        return after

    async def edit_room(self, at: Act, room_id: int, version: int, values: RoomValues) -> RoomRecord:
        before, after = await tree.edit_room(at.tx, room_id, version, values)
        await self._changed(at, "estate.room", f"room:{room_id}", before, after)
        return after

    async def set_status(self, at: Act, room_id: int, status: str, since: date, reason: str) -> RoomRecord:
        before = await tree.room_record(at.tx, room_id)
        await tree.set_status(at.tx, room_id, status, since, today=at.today, reason=reason, by=at.by, at=at.now)
        after = await tree.room_record(at.tx, room_id)
        was, now = ({"status": one.status, "since": one.since} for one in (before, after))
        await self._note(at, "estate.room_status", f"room:{room_id}", after, was, now, reason)
        return after

    async def split_room(self, at: Act, room_id: int, parts: Sequence[RoomValues], day: date, reason: str) -> list[int]:
        """Refused also by `tree.split_room`."""
        made = await tree.split_room(at.tx, room_id, parts, from_day=day, by=at.by, at=at.now)
        old = await tree.room_record(at.tx, room_id)
        told = {"from_day": day, "rooms": [one.code for one in parts]}
        await self._note(at, "estate.split_room", f"room:{room_id}", old, {"room": old.code}, told, reason)
        return made

    async def merge_rooms(self, at: Act, room_ids: Sequence[int], into: RoomValues, day: date, reason: str) -> int:
        made = await tree.merge_rooms(at.tx, room_ids, into, from_day=day, by=at.by, at=at.now)
        new = await tree.room_record(at.tx, made)
        told = {"from_day": day, "rooms": sorted(set(room_ids))}
        await self._note(at, "estate.merge_rooms", f"room:{made}", new, told, {"room": new.code}, reason)
        return made

    async def add_relation(
        self, at: Act, room_id: int, owner_id: int, relation: str, *, share: Decimal | None, days: tuple[date | None, date | None]
    ) -> int:
        room = await tree.room_record(at.tx, room_id)
        made = await payers.add_relation(
            at.tx, room_id, owner_id, relation, share=share, from_day=days[0], to_day=days[1], by=at.by
        )
        told = {"owner": owner_id, "relation": relation, "share": share, "from_day": days[0], "to_day": days[1]}
        await self._note(at, "estate.people", f"room:{room_id}", room, None, told, "")
        return made

    async def end_relation(self, at: Act, room_id: int, relation_id: int, day: date) -> Relation:
        room = await tree.room_record(at.tx, room_id)
        found = await payers.end_relation(at.tx, relation_id, room_id, day)
        told = {"owner": found.owner_id, "relation": found.relation}
        await self._note(at, "estate.people", f"room:{room_id}", room, told, told | {"to_day": day}, "")
        return found

    async def set_payer(self, at: Act, room_id: int, item: str | None, owner_id: int | None, day: date) -> None:
        room = await tree.room_record(at.tx, room_id)
        before = await payers.payer_at(at.tx, room_id, item, day)
        await payers.set_payer(at.tx, room_id, item, owner_id, from_day=day, today=at.today, by=at.by, at=at.now)
        told = {"item": item, "owner": owner_id, "from_day": day}
        await self._note(at, "estate.payer", f"room:{room_id}", room, {"item": item, "owner": before}, told, "")

    async def stop_payer(self, at: Act, room_id: int, item: str, day: date) -> None:
        """From a day on an item is paid by whoever pays the rest. NotFound `payer_not_found` when it has no payer of its own."""
        room = await tree.room_record(at.tx, room_id)
        known = [one for one in await payers.payer_history(at.tx, [room_id]) if one.item_code == item]
        if not any(one.to_day is None or one.to_day > day for one in known):
            raise NotFound("payer_not_found", "这项费用没有单独的缴费人", f"no payer of {item}", field="item")
        await payers.stop_item_payer(at.tx, room_id, item, from_day=day)
        told = {"item": item, "to_day": day}
        await self._note(at, "estate.payer", f"room:{room_id}", room, {"item": item}, told, "")

    async def edit_project(self, at: Act, project_id: int, version: int, changes: Mapping[str, Any]) -> ProjectRecord:
        before, after = await tree.edit_project(at.tx, project_id, version, changes)
        names = [name for name in changes if getattr(before, name) != getattr(after, name)]
        told = [{name: getattr(one, name) for name in names} for one in (before, after)]
        place = {"company_id": after.company_id, "project_id": after.id}
        await self.audit(at.tx, at.user, "estate.project", f"project:{project_id}", *map(_plain, told), "", at=at.now, **place)
        return after

    async def put_account(self, at: Act, project_id: int, account: BankAccount) -> int:
        project = await tree.project_record(at.tx, project_id)
        made = await tree.put_account(at.tx, project_id, account)
        told = {"bank": account.bank, "number": account.number, "holder": account.holder, "open": account.open}
        place = {"company_id": project.company_id, "project_id": project_id}
        await self.audit(at.tx, at.user, "estate.account", f"project:{project_id}", None, told, "", at=at.now, **place)
        return made

    async def _changed(self, at: Act, action: str, what: str, before: Any, after: OwnerRecord | RoomRecord) -> None:
        """What changed; personal values of an owner enter as names of fields only (O-10)."""
        old = {} if before is None else shown(before.values)
        new = shown(after.values)
        names = sorted(name for name in new if new[name] != old.get(name))
        room = isinstance(after, RoomRecord)
        facts: dict[str, Any] = {name: new[name] for name in names} if room else {"fields": names}
        was = None if before is None else {name: old[name] for name in names} if room else {"version": before.version}
        await self._note(at, action, what, after, was, facts, "")

    async def _note(
        self,
        at: Act,
        action: str,
        what: str,
        place: OwnerRecord | RoomRecord,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        reason: str,
    ) -> None:
        where = {"company_id": place.company_id, "project_id": place.project_id}
        await self.audit(at.tx, at.user, action, what, _plain(before), _plain(after), reason[:200], at=at.now, **where)


def _plain(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """As the log keeps it: days and decimals as text."""
    if told is None:
        return None
    return {name: str(value) if isinstance(value, date | Decimal) else value for name, value in told.items()}
