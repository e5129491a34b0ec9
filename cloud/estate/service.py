"""Companies, projects, rooms and owners (REQUIREMENTS 2, 5). Callers hand in their transaction; nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cloud.estate import store, store_search
from cloud.estate.domain import KINDS, Found, NewRoom, Project, Room, read_query
from cloud.estate.domain_fields import Reader as FieldReader
from cloud.estate.domain_fields import shown as shown_value
from cloud.estate.domain_import import letters as cell_letters
from cloud.estate.domain_owners import (
    RELATIONS,
    OwnerRecord,
    OwnerValues,
    Payer,
    Payers,
    Phone,
    Relation,
    Transfer,
    initials,
    mask_identity,
    mask_phone,
)
from cloud.estate.domain_tree import STATUSES, USES, BankAccount, ProjectRecord, RoomRecord, RoomValues, StatusSpan, long_code
from cloud.estate.housekeeping import keep_payers
from cloud.estate.identity import IdentityKeys, identity_keys
from cloud.estate.owners import (
    contacts,
    duplicates,
    erase_owner,
    likely_same,
    merge_owners,
    owner_record,
    owner_records,
    see_identity,
    vehicles_of,
)
from cloud.estate.payers import (
    add_relation,
    end_relation,
    payer_at,
    payer_history,
    payers_of,
    people_of_rooms,
    rooms_of_owners,
    set_payer,
    stop_item_payer,
    transfer,
    transfers,
    turn_payers,
)
from cloud.estate.spreadsheet import MOST_BYTES, Sheet, plain_heading, read_sheet
from cloud.estate.tree import close_project, project_record, room_links, room_record, room_records, room_statuses
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused

__all__ = [
    "KINDS",
    "MOST_BYTES",
    "RELATIONS",
    "STATUSES",
    "USES",
    "BankAccount",
    "FieldReader",
    "Found",
    "IdentityKeys",
    "NewRoom",
    "OwnerRecord",
    "OwnerValues",
    "Payer",
    "Payers",
    "Phone",
    "Project",
    "ProjectRecord",
    "Relation",
    "Room",
    "RoomRecord",
    "RoomValues",
    "Sheet",
    "StatusSpan",
    "Transfer",
    "add_company",
    "add_project",
    "add_relation",
    "add_rooms",
    "cell_letters",
    "close_project",
    "company_id",
    "contacts",
    "duplicates",
    "end_relation",
    "erase_owner",
    "get_project",
    "get_room",
    "identity_keys",
    "initials",
    "keep_payers",
    "likely_same",
    "long_code",
    "mask_identity",
    "mask_phone",
    "merge_owners",
    "owner_name",
    "owner_record",
    "owner_records",
    "payer_at",
    "payer_history",
    "payers_of",
    "people_of_rooms",
    "plain_heading",
    "project_record",
    "projects",
    "read_sheet",
    "room_area",
    "room_links",
    "room_record",
    "room_records",
    "room_statuses",
    "rooms_of",
    "rooms_of_owners",
    "search_owners",
    "search_rooms",
    "see_identity",
    "set_payer",
    "shown_value",
    "stop_item_payer",
    "transfer",
    "transfers",
    "turn_payers",
    "vehicles_of",
]


async def get_project(tx: Tx, project_id: int) -> Project:
    """NotFound `project_not_found` outside the scope."""
    found = await store.project(tx, project_id)
    if found is None:
        raise NotFound("project_not_found", "没有这个项目", f"no project {project_id}", field="project")
    return found


async def company_id(tx: Tx, code: str) -> int:
    """NotFound `company_not_found` outside the scope."""
    found = await store.company_id(tx, code)
    if found is None:
        raise NotFound("company_not_found", f"没有公司 {code}", f"no company {code}", field="company")
    return found


async def projects(tx: Tx) -> list[Project]:
    """Every project in scope, by company and code."""
    return await store.projects(tx)


async def add_company(tx: Tx, *, code: str, name: str, at: datetime) -> int:
    """A company by its code; the same again answers the same id. Conflict `code_taken` under another name."""
    made = await store.add_company(tx, code, name, at)
    if made is None:
        raise Conflict("code_taken", f"编号 {code} 已经用于别的公司", f"the code {code} belongs to another company", field="code")
    return made


async def add_project(tx: Tx, *, company: str, code: str, name: str, kind: str, at: datetime) -> int:
    """A project of a company in scope; codes are unique in the group (P-03) and the same again answers the same id.

    NotFound `company_not_found`; Refused `bad_kind`; Conflict `code_taken`.
    """
    if kind not in KINDS:
        raise Refused("bad_kind", f"没有这种项目类型：{kind}", f"no kind of project {kind}", field="kind")
    owner = await company_id(tx, company)
    made = await store.add_project(tx, owner, code, name, kind, at)
    if made is not None:
        return made
    known = await store.project_by_code(tx, code)
    if known is None or (known.company_id, known.name, known.kind) != (owner, name, kind):
        raise Conflict("code_taken", f"编号 {code} 已经用于别的项目", f"the code {code} belongs to another project", field="code")
    return known.id


async def add_rooms(tx: Tx, project_id: int, rooms: Sequence[NewRoom], at: datetime) -> int:
    """Add rooms with their owners, all or nothing; those the project has already are left alone. How many are new.

    NotFound `project_not_found`; Refused `twice` when a code comes twice.
    """
    project = await get_project(tx, project_id)
    codes = [one.code for one in rooms]
    if len(set(codes)) != len(codes):
        twice = next(code for code in codes if codes.count(code) > 1)
        raise Refused("twice", f"房间 {twice} 出现了两次", f"room {twice} comes twice", field="rooms")
    return await store.add_rooms(tx, project.company_id, project_id, rooms, at) if rooms else 0


async def get_room(tx: Tx, project_id: int, room_id: int) -> Room:
    """NotFound `room_not_found` outside the project or the scope."""
    found = await store.room(tx, project_id, room_id)
    if found is None:
        raise NotFound("room_not_found", "没有这个房间", f"no room {room_id} in project {project_id}", field="room")
    return found


async def rooms_of(tx: Tx, project_id: int) -> dict[str, Room]:
    """Every room of a project by its code."""
    return {one.code: one for one in await store.rooms(tx, project_id)}


async def owner_name(tx: Tx, owner_id: int) -> str:
    """NotFound `owner_not_found` outside the scope."""
    found = await store.owner_name(tx, owner_id)
    if found is None:
        raise NotFound("owner_not_found", "没有这位业主", f"no owner {owner_id}", field="owner")
    return found


async def room_area(tx: Tx, room_id: int) -> str | None:
    """As printed: '96.37'."""
    return await store.room_area(tx, room_id)


async def search_rooms(tx: Tx, text: str, *, project_id: int | None = None, limit: int = 20) -> list[Found]:
    """Rooms by what a cashier types: part of the room's digits, name, pinyin initials, end of a phone, part of a plate (O-08)."""
    return await store_search.rooms(tx, project_id, read_query(text), limit) if text.strip() else []


async def search_owners(tx: Tx, text: str, *, project_id: int | None = None, limit: int = 50) -> list[OwnerRecord]:
    """Owners by the same, or by their number; also those who have no room."""
    found = await store_search.owners(tx, project_id, read_query(text), limit) if text.strip() else []
    return await owner_records(tx, found)
