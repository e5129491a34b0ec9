"""Who belongs to a room and who pays what, by date; 过户 (O-01, O-02, O-03)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from cloud.estate import store_owners, store_payers, tree
from cloud.estate.domain_owners import RELATIONS, Payer, Payers, Relation, Transfer, check_shares
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused

_NOBODY = Payers(None, {})


async def payer_at(tx: Tx, room_id: int, item_code: str | None, day: date) -> int | None:
    """The owner who pays an item of a room on a day; without an item whoever pays the rest. None: nobody is named."""
    return (await payers_of(tx, [room_id], day))[room_id].of(item_code)


async def payers_of(tx: Tx, room_ids: Sequence[int], day: date) -> dict[int, Payers]:
    """The payers of many rooms on one day, for billing; every room asked for has an entry."""
    default: dict[int, int | None] = {}
    by_item: dict[int, dict[str, int | None]] = {}
    for row in await store_payers.payers_on(tx, room_ids, day):
        room, item, owner = row["room_id"], row["item_code"], row["owner_id"]
        assert isinstance(room, int) and (owner is None or isinstance(owner, int))
        if item is None:
            default[room] = owner
        else:
            by_item.setdefault(room, {})[str(item)] = owner
    return {
        room: Payers(default.get(room), by_item.get(room, {})) if room in default or room in by_item else _NOBODY
        for room in room_ids
    }


async def payer_history(tx: Tx, room_ids: Sequence[int]) -> list[Payer]:
    """Who paid, pays and will pay, by room, item and day."""
    return await store_payers.payers(tx, room_ids)


async def set_payer(
    tx: Tx, room_id: int, item_code: str | None, owner_id: int | None, *, from_day: date, today: date, by: str, at: datetime
) -> None:
    """From a day on somebody else pays an item, or all that has no payer of its own (`item_code` None); later plans fall away.

    NotFound `room_not_found`, `owner_not_found`; Refused `room_closed`.
    """
    room = await tree.room_record(tx, room_id)
    if room.closed_on is not None and from_day >= room.closed_on:
        raise Refused("room_closed", f"{room.code} 从 {room.closed_on} 起已关闭", "the room is closed", field="room")
    if owner_id is not None:
        await _owner(tx, owner_id, room.project_id)
    await store_payers.lock_room(tx, room_id)
    for one in await store_payers.payers(tx, [room_id]):
        if one.item_code != item_code or (one.to_day is not None and one.to_day <= from_day):
            continue
        if one.from_day is not None and one.from_day >= from_day:
            await store_payers.cancel_payer(tx, one.id)
        else:
            await store_payers.end_payer(tx, one.id, from_day)
    place = (room.company_id, room.project_id)
    await store_payers.add_payer(tx, place, room_id, item_code, owner_id, (from_day, None), by, at)
    await store_payers.turn_payers(tx, today, [room_id])


async def stop_item_payer(tx: Tx, room_id: int, item_code: str, *, from_day: date) -> None:
    """From a day on the item is paid by whoever pays the rest."""
    await store_payers.lock_room(tx, room_id)
    for one in await store_payers.payers(tx, [room_id]):
        if one.item_code == item_code and (one.to_day is None or one.to_day > from_day):
            if one.from_day is not None and one.from_day >= from_day:
                await store_payers.cancel_payer(tx, one.id)
            else:
                await store_payers.end_payer(tx, one.id, from_day)


async def turn_payers(tx: Tx, today: date, *, since: date = date.min) -> int:
    """A new day: rooms name whoever pays from today on, of those with a turn after `since`. How many changed."""
    return await store_payers.turn_payers(tx, today, since=since)


async def people_of_rooms(tx: Tx, room_ids: Sequence[int]) -> list[Relation]:
    """Everybody who belongs or belonged to rooms, those of now first."""
    return await store_payers.relations_of_rooms(tx, room_ids)


async def rooms_of_owners(tx: Tx, owner_ids: Sequence[int]) -> list[Relation]:
    """Every room that owners belong or belonged to, those of now first."""
    return await store_payers.relations_of_owners(tx, owner_ids)


async def add_relation(
    tx: Tx, room_id: int, owner_id: int, relation: str, *, share: Decimal | None = None, from_day: date | None,
    to_day: date | None = None,    by: str,
) -> int:  # fmt: skip
    """Somebody belongs to a room over [from_day, to_day) (O-02). Its id.

    NotFound `room_not_found`, `owner_not_found`; Refused `bad_relation`, `bad_day`, `shares`, `room_closed`;
    Conflict `known_already`.
    """
    room = await tree.room_record(tx, room_id)
    await _owner(tx, owner_id, room.project_id)
    if relation not in RELATIONS:
        raise Refused("bad_relation", f"没有这种关系：{relation}", f"no relation {relation}", field="relation")
    if share is not None and (relation not in ("owner", "co_owner") or not 0 < share <= 100):
        raise Refused("shares", "份额只写给业主和共有人，在 0 到 100 之间", "a share is of owners only", field="share")
    if from_day is not None and to_day is not None and to_day <= from_day:
        raise Refused("bad_day", "最后一天比第一天还早", "it ends before it begins", field="to_day")
    if room.closed_on is not None and (from_day is None or from_day >= room.closed_on):
        raise Refused("room_closed", f"{room.code} 从 {room.closed_on} 起已关闭", "the room is closed", field="room")
    await store_payers.lock_room(tx, room_id)
    known = await store_payers.relations_of_rooms(tx, [room_id])
    for one in known:
        if (one.owner_id, one.relation) == (owner_id, relation) and (one.to_day is None or (from_day or date.min) < one.to_day):
            raise Conflict(
                "known_already", f"{one.name} 已经是这户的{RELATIONS[relation]}", "the relation is there already", field="owner"
            )
    fresh = Relation(0, room_id, room.code, owner_id, "", "", relation, share, from_day, to_day)
    check_shares([*known, fresh])
    place = (room.company_id, room.project_id)
    return await store_payers.add_relation(tx, place, room_id, owner_id, relation, share, (from_day, to_day), by)


async def end_relation(tx: Tx, relation_id: int, room_id: int, day: date) -> Relation:
    """The first day somebody no longer belongs to a room. NotFound `relation_not_found`; Refused `bad_day`."""
    known = {one.id: one for one in await store_payers.relations_of_rooms(tx, [room_id])}
    found = known.get(relation_id)
    if found is None:
        raise NotFound("relation_not_found", "这户没有这个人", f"no relation {relation_id}", field="relation")
    await _end(tx, found, day)
    return found


async def transfer(tx: Tx, asked: Transfer, *, key: str, today: date, by: str, at: datetime) -> Transfer:
    """过户 (O-03): from `from_day` on the room belongs to the new owner, who pays all that the old owner paid. Tenants stay.

    Idempotent by key. What becomes of arrears, wallets and deposits is recorded here and carried out by those who hold them.
    NotFound `room_not_found`, `owner_not_found`; Refused `same_owner`, `consent_missing`, `bad_choice`, `room_closed`;
    Conflict `key_used`.
    """
    room = await tree.room_record(tx, asked.room_id)
    await store_payers.lock_room(tx, room.id)
    known = await store_payers.transfer_by_key(tx, room.project_id, key)
    if known is not None:
        if (known.room_id, known.new_owner_id, known.from_day) != (asked.room_id, asked.new_owner_id, asked.from_day):
            raise Conflict("key_used", "这张表已经用来办过别的过户", "the key belongs to another transfer", field="key")
        return known
    _check_choices(asked)
    await _owner(tx, asked.new_owner_id, room.project_id)
    people = await store_payers.relations_of_rooms(tx, [room.id])
    owning = [
        one for one in people if one.relation in ("owner", "co_owner") and (one.to_day is None or one.to_day > asked.from_day)
    ]
    first = next((one.owner_id for one in owning if one.relation == "owner"), owning[0].owner_id if owning else None)
    if asked.new_owner_id in {one.owner_id for one in owning}:
        raise Refused("same_owner", "新业主现在就是这户的业主", "the new owner owns the room already", field="new_owner")
    for one in owning:
        await _end(tx, one, asked.from_day)
    place = (room.company_id, room.project_id)
    await store_payers.add_relation(tx, place, room.id, asked.new_owner_id, "owner", None, (asked.from_day, None), by)
    left = {one.owner_id for one in owning}
    for item in {
        one.item_code for one in await store_payers.payers(tx, [room.id]) if one.item_code is not None and one.owner_id in left
    }:
        await stop_item_payer(tx, room.id, item, from_day=asked.from_day)
    await set_payer(tx, room.id, None, asked.new_owner_id, from_day=asked.from_day, today=today, by=by, at=at)
    done = replace(asked, project_id=room.project_id, old_owner_id=first)
    return replace(done, id=await store_payers.add_transfer(tx, room.company_id, done, key, by, at))


async def transfers(tx: Tx, room_id: int) -> list[Transfer]:
    """Every 过户 of a room, oldest first."""
    return await store_payers.transfers(tx, room_id)


def _check_choices(asked: Transfer) -> None:
    if asked.arrears not in ("stay", "taken_over") or {asked.wallets, asked.deposits} - {"refund", "transfer", "stay"}:
        raise Refused("bad_choice", "欠费、预存和押金怎么处理，都要选", "a choice is missing", field="arrears")
    if asked.arrears == "taken_over" and not asked.consent.strip():
        raise Refused("consent_missing", "欠费由新业主承担，要写明同意书的编号", "taking over needs a document", field="consent")
    if not asked.reason.strip():
        raise Refused("reason_missing", "写一句过户的依据，例如 网签合同编号", "a reason is needed", field="reason")


async def _end(tx: Tx, one: Relation, day: date) -> None:
    if one.from_day is not None and one.from_day > day:
        raise Refused("bad_day", f"{one.name} 从 {one.from_day} 才开始，不能更早结束", "it ends before it begins", field="to_day")
    if one.from_day == day:
        await store_payers.drop_relation(tx, one.id)
    else:
        await store_payers.end_relation(tx, one.id, day)


async def _owner(tx: Tx, owner_id: int, project_id: int) -> None:
    found = await store_owners.owner(tx, owner_id)
    if found is None or found.project_id != project_id or found.status not in ("active", "left"):
        raise NotFound("owner_not_found", "这个项目没有这位业主", f"no owner {owner_id} in the project", field="owner")
