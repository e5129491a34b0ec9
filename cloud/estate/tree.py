"""Rooms and other leaves: their record, their status, splitting and merging; the record of a project (P-01, P-03, P-07, P-08)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from typing import Any

from cloud.estate import store, store_payers, store_tree
from cloud.estate.domain_tree import STATUSES, BankAccount, Link, ProjectRecord, RoomRecord, RoomValues, StatusSpan, spans
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused


async def room_record(tx: Tx, room_id: int) -> RoomRecord:
    """NotFound `room_not_found` outside the scope."""
    found = await store_tree.room(tx, room_id)
    if found is None:
        raise NotFound("room_not_found", "没有这个房间", f"no room {room_id}", field="room")
    return found


async def room_records(tx: Tx, project_id: int, room_ids: Sequence[int] | None = None) -> list[RoomRecord]:
    """Rooms in full, by code: of a project, or those of it that are asked for. Closed ones are among them."""
    return await store_tree.rooms(tx, project_id, room_ids)


async def room_statuses(tx: Tx, room_ids: Sequence[int]) -> dict[int, list[StatusSpan]]:
    """The statuses of many rooms as they followed each other; a room that never changed has none (P-08)."""
    found: dict[int, list[tuple[date, str]]] = {}
    for row in await store_tree.statuses(tx, room_ids):
        found.setdefault(row["room_id"], []).append((row["from_day"], row["status"]))
    return {room: spans(rows) for room, rows in found.items()}


async def room_links(tx: Tx, room_id: int) -> list[Link]:
    """What a room became, or came from (P-07)."""
    return await store_tree.links(tx, room_id)


async def add_room(tx: Tx, project_id: int, values: RoomValues, *, status: str, since: date | None, by: str, at: datetime) -> int:
    """A leaf of the tree. NotFound `project_not_found`; Conflict `code_taken`; Refused `bad_status`."""
    place = await store.project(tx, project_id)
    if place is None:
        raise NotFound("project_not_found", "没有这个项目", f"no project {project_id}", field="project")
    if status not in STATUSES or status == "closed":
        raise Refused("bad_status", "新房间的状态不能是已关闭", f"a new room cannot be {status}", field="status")
    await _free(tx, project_id, [values.code])
    return (await _put(tx, (place.company_id, project_id), [values], status, since, None, by, at))[0]


async def edit_room(tx: Tx, room_id: int, version: int, values: RoomValues) -> tuple[RoomRecord, RoomRecord]:
    """Change what a person may set of a room; before and after. Conflict `changed_since`, `code_taken`; Refused `room_closed`."""
    before = await room_record(tx, room_id)
    _open(before)
    if values.code != before.code:
        await _free(tx, before.project_id, [values.code])
    changes = await _columns(tx, (before.company_id, before.project_id), [values])
    if not await store_tree.set_room(tx, room_id, version, changes[0]):
        raise Conflict(
            "changed_since", "别人刚改过这个房间。看一下现在的内容，再决定", "the room was changed meanwhile", field="version"
        )
    return before, await room_record(tx, room_id)


async def set_status(tx: Tx, room_id: int, status: str, since: date, *, today: date, reason: str, by: str, at: datetime) -> None:
    """A room's status from a day on (P-08). Refused `bad_status`, `bad_day`, `room_closed`."""
    room = await room_record(tx, room_id)
    _open(room)
    if status not in STATUSES or status == "closed":
        raise Refused("bad_status", "这里不能改成已关闭：用拆分或合并", f"no status {status}", field="status")
    if since > today:
        raise Refused("bad_day", f"状态从 {since} 起还没到，到那天再改", "a status begins today or before", field="status_since")
    if room.since is not None and since < room.since:
        raise Refused(
            "bad_day", f"现在的状态从 {room.since} 起，新的不能更早", "not before the present status", field="status_since"
        )
    if (status, since) == (room.status, room.since):
        return
    rows = [] if room.since is not None else _first(room, since)
    rows.append((room.company_id, room.project_id, room.id, status, since, reason))
    await store_tree.add_statuses(tx, rows, by, at)
    await store_tree.set_room(tx, room.id, None, {"status": status, "status_since": since})


async def split_room(tx: Tx, room_id: int, parts: Sequence[RoomValues], *, from_day: date, by: str, at: datetime) -> list[int]:
    """One room becomes several from a day on: it is closed and linked; what was charged stays on it (P-07).

    Refused `bad_parts`, `area_differs`, `room_closed`; Conflict `code_taken`.
    """
    room = await room_record(tx, room_id)
    _open(room)
    if len(parts) < 2:
        raise Refused("bad_parts", "拆分要有两个以上的新房间", "a split makes at least two rooms", field="parts")
    _same_area([room.values], parts)
    return await _become(tx, [room], parts, "split", from_day, by, at)


async def merge_rooms(tx: Tx, room_ids: Sequence[int], into: RoomValues, *, from_day: date, by: str, at: datetime) -> int:
    """Several rooms become one from a day on; its payer is that of the first (P-07).

    Refused `bad_parts`, `area_differs`, `room_closed`; Conflict `code_taken`.
    """
    rooms = [await room_record(tx, one) for one in dict.fromkeys(room_ids)]
    for one in rooms:
        _open(one)
    if len(rooms) < 2 or len({one.project_id for one in rooms}) != 1:
        raise Refused("bad_parts", "合并要选同一项目的两个以上房间", "a merger takes rooms of one project", field="rooms")
    _same_area([one.values for one in rooms], [into])
    return (await _become(tx, rooms, [into], "merge", from_day, by, at))[0]


async def _become(
    tx: Tx, old: Sequence[RoomRecord], new: Sequence[RoomValues], kind: str, day: date, by: str, at: datetime
) -> list[int]:
    first = old[0]
    place = (first.company_id, first.project_id)
    codes = [one.code for one in new]
    if len(set(codes)) != len(codes):
        raise Refused("twice", "新房号有重复", "a new code comes twice", field="code")
    await _free(tx, first.project_id, codes)
    payer = await store_payers.default_payer(tx, first.id, day)
    made = await _put(tx, place, new, first.status, day, payer, by, at)
    if payer is not None:
        await store_payers.begin(tx, made, day)
    for room in old:
        rows = [] if room.since is not None else _first(room, day)
        rows.append((*place, room.id, "closed", day, "拆分" if kind == "split" else "合并"))
        await store_tree.add_statuses(tx, rows, by, at)
        await store_tree.set_room(tx, room.id, None, {"status": "closed", "status_since": day, "closed_on": day})
    await store_tree.add_links(tx, place, [(one.id, to) for one in old for to in made], kind, day, by, at)
    return made


async def _put(
    tx: Tx,
    place: tuple[int, int],
    new: Sequence[RoomValues],
    status: str,
    since: date | None,
    payer: int | None,
    by: str,
    at: datetime,
) -> list[int]:
    rows = [one | {"payer_id": payer, "status": status, "status_since": since} for one in await _columns(tx, place, new)]
    made = await store_tree.add_rooms(tx, place, rows, at)
    if since is not None:
        await store_tree.add_statuses(tx, [(*place, one, status, since, "") for one in made], by, at)
    return made


async def _columns(tx: Tx, place: tuple[int, int], rooms: Sequence[RoomValues]) -> list[dict[str, Any]]:
    """Values as columns; buildings that are not there yet are made."""
    zones = {one.building: one.zone for one in rooms if one.building}
    ids = await store_tree.put_buildings(tx, *place, zones) if zones else {}
    found = []
    for one in rooms:
        columns = asdict(one)
        del columns["building"], columns["zone"]
        found.append(columns | {"building_id": ids.get(one.building)})
    return found


async def _free(tx: Tx, project_id: int, codes: Sequence[str]) -> None:
    for code in await store_tree.known_codes(tx, project_id, codes):
        raise Conflict("code_taken", f"房号 {code} 已经有了", f"the code {code} is taken", field="code")


def _open(room: RoomRecord) -> None:
    if room.closed_on is not None:
        raise Refused("room_closed", f"{room.code} 从 {room.closed_on} 起已关闭，不能再改", "the room is closed", field="room")


def _first(room: RoomRecord, day: date) -> list[tuple[int, int, int, str, date, str]]:
    """What a room was before its first change, from when it was handed over, if that is known."""
    start = room.values.handover_on or room.values.move_in_on
    return [(room.company_id, room.project_id, room.id, room.status, start, "")] if start is not None and start < day else []


def _same_area(old: Sequence[RoomValues], new: Sequence[RoomValues]) -> None:
    if any(one.area is None for one in (*old, *new)):
        return
    was, will = sum(one.area or 0 for one in old), sum(one.area or 0 for one in new)
    if was != will:
        raise Refused(
            "area_differs", f"原来一共 {was} ㎡，新的一共 {will} ㎡，要一样", f"areas differ: {was} and {will}", field="area"
        )


async def project_record(tx: Tx, project_id: int) -> ProjectRecord:
    """The record of a project with its bank accounts (P-03). NotFound `project_not_found`."""
    found = await store_tree.project_record(tx, project_id)
    if found is None:
        raise NotFound("project_not_found", "没有这个项目", f"no project {project_id}", field="project")
    return found


async def edit_project(tx: Tx, project_id: int, version: int, changes: Mapping[str, Any]) -> tuple[ProjectRecord, ProjectRecord]:
    """Change the record of a project; before and after. Conflict `changed_since`; Refused `use_closing`."""
    before = await project_record(tx, project_id)
    if changes.get("status") == "closed" != before.status:
        raise Refused("use_closing", "退出项目要先结清，用“退出项目”", "closing a project has checks of its own", field="status")
    if not await store_tree.set_project(tx, project_id, version, changes):
        raise Conflict(
            "changed_since", "别人刚改过这个项目。看一下现在的内容，再决定", "the project was changed meanwhile", field="version"
        )
    return before, await project_record(tx, project_id)


async def close_project(tx: Tx, project_id: int) -> ProjectRecord:
    """The project is over. Whoever calls has seen that nothing is open in it (P-05). Conflict `changed_since`."""
    before = await project_record(tx, project_id)
    if not await store_tree.set_project(tx, project_id, before.version, {"status": "closed"}):
        raise Conflict(
            "changed_since", "别人刚改过这个项目。看一下现在的内容，再决定", "the project was changed meanwhile", field="version"
        )
    return await project_record(tx, project_id)


async def put_account(tx: Tx, project_id: int, account: BankAccount) -> int:
    """A bank account of a project by its number. Refused `bad_account`."""
    project = await project_record(tx, project_id)
    number = account.number.replace(" ", "").replace("-", "")
    if not (number.isascii() and number.isdigit() and 8 <= len(number) <= 32):
        raise Refused("bad_account", "银行账号是 8 到 32 位数字", "an account number has 8 to 32 digits", field="number")
    return await store_tree.put_account(tx, project.company_id, project_id, replace(account, number=number))


async def tree(tx: Tx, project_id: int) -> list[dict[str, Any]]:
    """Zone, building, unit, use: how many rooms and square metres (P-01)."""
    await project_record(tx, project_id)
    return await store_tree.tree(tx, project_id)
