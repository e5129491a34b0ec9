"""Owners: adding, changing, seeing an identity number, finding and merging duplicates, erasing (O-01 .. O-07, O-10, N-07)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from cloud.estate import store, store_owners, store_payers
from cloud.estate.domain_owners import OwnerRecord, OwnerValues, initials, mask_identity
from cloud.estate.identity import IdentityKeys
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused
from protocols.plate import parse

MAIN_PHONE_BYTES = 20


async def owner_record(tx: Tx, owner_id: int) -> OwnerRecord:
    """NotFound `owner_not_found` outside the scope."""
    found = await store_owners.owner(tx, owner_id)
    if found is None:
        raise NotFound("owner_not_found", "没有这位业主", f"no owner {owner_id}", field="owner")
    return found


async def owner_records(tx: Tx, owner_ids: Sequence[int]) -> list[OwnerRecord]:
    """By project and number."""
    return await store_owners.owners(tx, owner_ids)


async def owner_by_number(tx: Tx, project_id: int, number: str) -> OwnerRecord | None:
    """None when the project has no such number."""
    return await store_owners.by_number(tx, project_id, number.strip())


async def add_owner(
    tx: Tx, keys: IdentityKeys, project_id: int, values: OwnerValues, *, source: str = "entered", by: str, at: datetime
) -> int:
    """A new owner; the number is made when none is given. NotFound `project_not_found`; Conflict `number_taken`."""
    project = await store.project(tx, project_id)
    if project is None:
        raise NotFound("project_not_found", "没有这个项目", f"no project {project_id}", field="project")
    await _number_free(tx, project_id, values.number, None)
    place = (project.company_id, project_id)
    columns = columns_of(keys, project_id, values) | {"source": source, "created_by": by, "created_at": at}
    made = await store_owners.add_owner(tx, place, columns)
    await store_owners.put_phones(tx, place, made, values.phones)
    return made


async def edit_owner(
    tx: Tx, keys: IdentityKeys, owner_id: int, version: int, values: OwnerValues, *, charged: bool, by: str, at: datetime
) -> tuple[OwnerRecord, OwnerRecord]:
    """Change an owner; before and after. `charged`: something was charged to them, so that the number stands (O-04).

    Conflict `changed_since`, `number_taken`; Refused `number_fixed`, `owner_gone`.
    """
    before = await owner_record(tx, owner_id)
    if before.status in ("merged", "erased"):
        raise Refused("owner_gone", "这份档案已经合并或删除，不能再改", "the owner was merged or erased", field="owner")
    number = values.number or before.values.number
    if number != before.values.number:
        if charged:
            raise Refused(
                "number_fixed", "已经有过应收，业主编号不能再改", "the number is fixed once something was charged", field="number"
            )
        await _number_free(tx, before.project_id, number, owner_id)
    place = (before.company_id, before.project_id)
    if values.name != before.name:
        await store_owners.remember_name(tx, place, owner_id, before.name, at, by)
    changes = columns_of(keys, before.project_id, replace(values, number=number))
    if values.identity is None:
        changes = {name: value for name, value in changes.items() if not name.startswith("identity")}
    if not await store_owners.set_owner(tx, owner_id, version, changes | {"changed_by": by, "changed_at": at}):
        raise Conflict(
            "changed_since", "别人刚改过这份档案。看一下现在的内容，再决定", "the owner was changed meanwhile", field="version"
        )
    if values.phones != before.values.phones:
        await store_owners.put_phones(tx, place, owner_id, values.phones)
    return before, await owner_record(tx, owner_id)


async def see_identity(tx: Tx, keys: IdentityKeys, owner_id: int, reason: str, *, by: str, at: datetime) -> str:
    """The identity number in full, for whoever may (`owner.identity`), with the reason kept (O-05).

    Refused `reason_missing`, `no_identity`.
    """
    found = await owner_record(tx, owner_id)
    if len(reason.strip()) < 2:
        raise Refused("reason_missing", "写一句为什么要看，例如 核对过户材料", "a reason is needed", field="reason")
    sealed = await store_owners.sealed_identity(tx, owner_id)
    if sealed is None:
        raise Refused("no_identity", "没有登记证件号码", "there is no identity number", field="owner")
    await store_owners.add_view(tx, (found.company_id, found.project_id), owner_id, reason.strip()[:200], by, at)
    return keys.open(sealed, context_of(found.project_id))


async def likely_same(
    tx: Tx, keys: IdentityKeys, project_id: int, values: OwnerValues, but: int | None = None
) -> list[OwnerRecord]:
    """Owners of the project who are likely the same person: identity number, or a phone and the name (O-06)."""
    found = set(await store_owners.same_phone_and_name(tx, project_id, [one.phone for one in values.phones], values.name, but))
    if values.identity:
        found |= set(await store_owners.same_identity(tx, project_id, keys.compare(values.identity), but))
    return await store_owners.owners(tx, sorted(found)) if found else []


async def duplicates(tx: Tx, project_id: int, limit: int = 100) -> list[list[OwnerRecord]]:
    """Groups of owners of a project who are likely the same (O-06)."""
    groups = await store_owners.duplicates(tx, project_id, limit)
    known = {one.id: one for one in await store_owners.owners(tx, sorted({one for group in groups for one in group}))}
    return [[known[one] for one in group] for group in groups]


async def merge_owners(tx: Tx, keep: int, gone: int, *, by: str, at: datetime) -> OwnerRecord:
    """Two records of one person become one: rooms, payers and cars go to `keep`, both histories stay (O-06).

    What other slices hold of `gone` (lines, wallets) keeps naming it; `owner_record(gone).merged_into` says where they are now.
    Refused `same_owner`, `owner_gone`, `other_project`.
    """
    await store_owners.lock(tx, [keep, gone])
    kept, lost = await owner_record(tx, keep), await owner_record(tx, gone)
    if keep == gone:
        raise Refused("same_owner", "选的是同一份档案", "both are the same", field="owner")
    if kept.project_id != lost.project_id:
        raise Refused("other_project", "只能合并同一个项目的业主", "they belong to different projects", field="owner")
    if {kept.status, lost.status} - {"active", "left"}:
        raise Refused("owner_gone", "其中一份档案已经合并或删除", "one of them was merged or erased", field="owner")
    place = (kept.company_id, kept.project_id)
    await store_owners.move_all(tx, gone, keep)
    await store_owners.rename_before(tx, gone, keep)
    if lost.name != kept.name:
        await store_owners.remember_name(tx, place, keep, lost.name, at, by)
    known = {one.phone for one in kept.values.phones}
    more = [one for one in lost.values.phones if one.phone not in known]
    if more:
        await store_owners.put_phones(tx, place, keep, [*kept.values.phones, *more])
    await store_owners.set_owner(tx, gone, None, {"status": "merged", "merged_into": keep, "changed_by": by, "changed_at": at})
    return await owner_record(tx, keep)


async def erase_owner(tx: Tx, owner_id: int, *, by: str, at: datetime) -> OwnerRecord:
    """Erase a departed person's data here: what stays is the number and the pseudonym that books show (O-10, N-07).

    Salted values in the ledger and the audit log are erased by the slice that calls this one, which also knows whether a duty to
    keep stands. Refused `still_here` while they own, live in or pay for a room.
    """
    await store_owners.lock(tx, [owner_id])
    found = await owner_record(tx, owner_id)
    if found.status == "erased":
        return found
    today = at.date()
    relations = await store_payers.relations_of_owners(tx, [owner_id])
    if any(one.to_day is None or one.to_day > today for one in relations):
        raise Refused(
            "still_here", f"{found.name} 还登记在房间里，先办迁出或过户", "the person still belongs to a room", field="owner"
        )
    if await store_payers.pays_from(tx, owner_id, today):
        raise Refused("still_here", f"{found.name} 还是缴费责任人，先换人", "the person still pays for a room", field="owner")
    blank = dict.fromkeys(
        ("pinyin", "phone", "identity_masked", "identity_type", "credit_code", "email", "emergency_name", "emergency_phone",
         "address", "invoice_title", "tax_no", "invoice_bank", "invoice_account", "note"), "",
    )  # fmt: skip
    gone: dict[str, Any] = {"name": f"业主 {found.values.number}", "tags": [], "identity_sealed": None, "identity_digest": None}
    await store_owners.forget(tx, owner_id)
    await store_owners.set_owner(
        tx, owner_id, None, {**blank, **gone, "status": "erased", "merged_into": None, "changed_by": by, "changed_at": at}
    )
    return await owner_record(tx, owner_id)


async def contacts(tx: Tx, owner_ids: Sequence[int], way: str) -> dict[int, list[str]]:
    """Phones that may be used for 'sms', 'wechat' or 'call': agreed to, and not known to be wrong (O-07)."""
    found = await store_owners.owners(tx, owner_ids)
    return {one.id: [p.phone for p in one.values.phones if getattr(p, way) and not p.wrong] for one in found}


async def vehicles_of(tx: Tx, owner_ids: Sequence[int], room_ids: Sequence[int] = ()) -> list[dict[str, Any]]:
    """Cars of owners or of rooms, by plate."""
    return await store_owners.vehicles(tx, owner_ids, room_ids)


async def put_vehicle(
    tx: Tx, owner_id: int, plate: str, *, room_id: int | None, space: str = "", brand: str = "", note: str = ""
) -> int:
    """A car of an owner. Refused `bad_plate`; Conflict `plate_taken` when another owner of the project has it."""
    found = await owner_record(tx, owner_id)
    known = parse(plate)
    row = {"room_id": room_id, "owner_id": owner_id, "plate": known.text, "colour": known.colour.value, "space": space[:40],
           "brand": brand[:40], "note": note[:100]}  # fmt: skip
    made = await store_owners.put_vehicle(tx, (found.company_id, found.project_id), row)
    if made is None:
        raise Conflict("plate_taken", f"{known.shown} 登记在别的业主名下", "the plate belongs to another owner", field="plate")
    return made


async def drop_vehicle(tx: Tx, owner_id: int, vehicle_id: int) -> None:
    """NotFound `vehicle_not_found`."""
    if not await store_owners.drop_vehicle(tx, vehicle_id, owner_id):
        raise NotFound("vehicle_not_found", "这位业主没有这辆车", f"no vehicle {vehicle_id}", field="vehicle")


def columns_of(keys: IdentityKeys, project_id: int, values: OwnerValues) -> dict[str, Any]:
    """An owner's values as columns, the identity number sealed."""
    columns: dict[str, Any] = {name: getattr(values, name) for name in store_owners.PLAIN}
    number = values.identity or ""
    main = next((one.phone for one in values.phones if not one.wrong), "")
    return columns | {
        "number": values.number or None,
        "tags": list(values.tags),
        "pinyin": initials(values.name),
        "phone": main[:MAIN_PHONE_BYTES],
        "identity_sealed": keys.seal(number, context_of(project_id)) if number else None,
        "identity_digest": keys.compare(number) if number else None,
        "identity_masked": mask_identity(number),
    }


def context_of(project_id: int) -> str:
    """What a sealed number is bound to."""
    return f"project:{project_id}"


async def _number_free(tx: Tx, project_id: int, number: str, but: int | None) -> None:
    if number and await store_owners.number_taken(tx, project_id, number, but):
        raise Conflict("number_taken", f"业主编号 {number} 已经有人用了", f"the number {number} is taken", field="number")
