"""SQL of project records, buildings and rooms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from typing import Any

from cloud.estate.domain_tree import BankAccount, Link, ProjectRecord, RoomRecord, RoomValues
from cloud.shared.db import Tx

_OF_ROOM = tuple(one.name for one in fields(RoomValues) if one.name not in ("building", "zone"))
_SELECT = f"""
    SELECT r.id, r.company_id, r.project_id, {", ".join("r." + name for name in _OF_ROOM)}, coalesce(b.code, '') AS building,
           coalesce(b.zone, '') AS zone, r.status, r.status_since AS since, r.closed_on, r.payer_id, r.version
    FROM rooms r LEFT JOIN buildings b ON b.id = r.building_id
"""
_PROJECT = """
    SELECT p.id, p.company_id, c.name AS company_name, p.code, p.name, p.kind, p.legal_entity, p.province, p.city, p.district,
           p.address, p.managed_area, p.households, p.contract_from, p.contract_to, p.opening_day, p.status, p.price_basis,
           p.filing_no, p.contact, p.contact_phone, p.version
    FROM projects p JOIN companies c ON c.id = p.company_id
"""


async def room(tx: Tx, room_id: int) -> RoomRecord | None:
    row = await tx.fetch_one(_SELECT + " WHERE r.id = %s", (room_id,))
    return None if row is None else _room(row)


async def rooms(tx: Tx, project_id: int, room_ids: Sequence[int] | None) -> list[RoomRecord]:
    """Of a project, all or those asked for, by code."""
    rows = await tx.fetch_all(
        _SELECT + " WHERE r.project_id = %s AND (%s::int[] IS NULL OR r.id = ANY(%s)) ORDER BY length(r.code), r.code",
        (project_id, room_ids if room_ids is None else list(room_ids), list(room_ids or ())),
    )
    return [_room(row) for row in rows]


async def known_codes(tx: Tx, project_id: int, codes: Sequence[str]) -> dict[str, RoomRecord]:
    rows = await tx.fetch_all(_SELECT + " WHERE r.project_id = %s AND r.code = ANY(%s)", (project_id, list(codes)))
    return {row["code"]: _room(row) for row in rows}


async def put_buildings(tx: Tx, company: int, project_id: int, zones: Mapping[str, str]) -> dict[str, int]:
    """Buildings by their code; a zone that is named counts. Code -> id."""
    rows = await tx.fetch_all(
        """
        INSERT INTO buildings (company_id, project_id, code, zone)
        SELECT %s, %s, g.code, g.zone FROM unnest(%s::text[], %s::text[]) AS g (code, zone)
        ON CONFLICT (project_id, code) DO UPDATE SET zone = coalesce(nullif(excluded.zone, ''), buildings.zone)
        RETURNING code, id
        """,
        (company, project_id, list(zones), list(zones.values())),
    )
    return {row["code"]: int(row["id"]) for row in rows}


async def add_rooms(tx: Tx, project: tuple[int, int], new: Sequence[Mapping[str, Any]], at: datetime) -> list[int]:
    """Rooms with the columns of RoomValues, `building_id`, `payer_id`, `status`, `status_since`; their ids in order."""
    columns = (*_OF_ROOM, "building_id", "payer_id", "status", "status_since")
    types = {"floor": "int", "headcount": "int", "building_id": "int", "payer_id": "int"}
    types |= dict.fromkeys(("area", "inside_area", "apportion_area", "floor_factor"), "numeric")
    types |= dict.fromkeys(("handover_on", "move_in_on", "charge_from", "status_since"), "date")
    arrays = ", ".join(f"%s::{types.get(name, 'text')}[]" for name in columns)
    rows = await tx.fetch_all(
        f"""
        INSERT INTO rooms (company_id, project_id, created_at, {", ".join(columns)})
        SELECT %s, %s, %s, {", ".join("g." + name for name in columns)}
        FROM unnest({arrays}) WITH ORDINALITY AS g ({", ".join(columns)}, n) ORDER BY g.n RETURNING id
        """,
        (*project, at, *([one[name] for one in new] for name in columns)),
    )
    return [int(row["id"]) for row in rows]


async def set_room(tx: Tx, room_id: int, version: int | None, changes: Mapping[str, Any]) -> bool:
    """False when the room is no longer at this version."""
    sets = ", ".join(f"{name} = %({name})s" for name in changes)
    done = await tx.execute(
        f"UPDATE rooms SET {sets}, version = version + 1 WHERE id = %(room_id)s AND (%(at)s::int IS NULL OR version = %(at)s)",
        {**changes, "room_id": room_id, "at": version},
    )
    return done == 1


async def set_rooms(tx: Tx, changes: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
    """Many rooms with the same columns, in one statement."""
    if not changes:
        return
    names = list(changes[0][1])
    types = {"floor": "smallint", "headcount": "smallint", "building_id": "int"}
    types |= dict.fromkeys(("area", "inside_area", "apportion_area", "floor_factor"), "numeric")
    types |= dict.fromkeys(("handover_on", "move_in_on", "charge_from", "status_since"), "date")
    arrays = ", ".join(f"%s::{types.get(name, 'text')}[]" for name in names)
    await tx.execute(
        f"""
        UPDATE rooms r SET {", ".join(f"{name} = g.{name}" for name in names)}, version = version + 1
        FROM unnest(%s::int[], {arrays}) AS g (id, {", ".join(names)}) WHERE r.id = g.id
        """,
        ([room for room, _ in changes], *([one[name] for _, one in changes] for name in names)),
    )


async def add_statuses(tx: Tx, rows: Sequence[tuple[int, int, int, str, date, str]], by: str, at: datetime) -> None:
    """(company, project, room, status, first day, reason)."""
    await tx.execute(
        """
        INSERT INTO room_statuses (company_id, project_id, room_id, status, from_day, reason, by, at)
        SELECT g.*, %s, %s FROM unnest(%s::int[], %s::int[], %s::int[], %s::text[], %s::date[], %s::text[]) AS g
        """,
        (by, at, *([row[n] for row in rows] for n in range(6))),
    )


async def statuses(tx: Tx, room_ids: Sequence[int]) -> list[dict[str, Any]]:
    return await tx.fetch_all(
        "SELECT room_id, from_day, status, reason, by, at FROM room_statuses WHERE room_id = ANY(%s)"
        " ORDER BY room_id, from_day, id",
        (list(room_ids),),
    )


async def add_links(
    tx: Tx, place: tuple[int, int], links: Sequence[tuple[int, int]], kind: str, day: date, by: str, at: datetime
) -> None:
    """(old room, new room)."""
    await tx.execute(
        """
        INSERT INTO room_links (company_id, project_id, old_room_id, new_room_id, kind, from_day, by, at)
        SELECT %s, %s, g.old, g.new, %s, %s, %s, %s FROM unnest(%s::int[], %s::int[]) AS g (old, new)
        """,
        (*place, kind, day, by, at, [old for old, _ in links], [new for _, new in links]),
    )


async def links(tx: Tx, room_id: int) -> list[Link]:
    rows = await tx.fetch_all(
        """
        SELECT l.old_room_id, o.code AS old_code, l.new_room_id, n.code AS new_code, l.kind, l.from_day
        FROM room_links l JOIN rooms o ON o.id = l.old_room_id JOIN rooms n ON n.id = l.new_room_id
        WHERE l.old_room_id = %s OR l.new_room_id = %s ORDER BY l.id
        """,
        (room_id, room_id),
    )
    return [Link(**row) for row in rows]


async def project_record(tx: Tx, project_id: int) -> ProjectRecord | None:
    row = await tx.fetch_one(_PROJECT + " WHERE p.id = %s", (project_id,))
    if row is None:
        return None
    accounts = await tx.fetch_all(
        "SELECT id, bank, number, holder, purpose, open FROM project_accounts WHERE project_id = %s ORDER BY id", (project_id,)
    )
    return ProjectRecord(**row, accounts=tuple(BankAccount(**one) for one in accounts))


async def set_project(tx: Tx, project_id: int, version: int, changes: Mapping[str, Any]) -> bool:
    """False when the record is no longer at this version."""
    sets = ", ".join(f"{name} = %({name})s" for name in changes)
    done = await tx.execute(
        f"UPDATE projects SET {sets}, version = version + 1 WHERE id = %(project_id)s AND version = %(at)s",
        {**changes, "project_id": project_id, "at": version},
    )
    return done == 1


async def put_account(tx: Tx, company: int, project_id: int, account: BankAccount) -> int:
    row = await tx.fetch_one(
        """
        INSERT INTO project_accounts (company_id, project_id, bank, number, holder, purpose, open)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (project_id, number) DO UPDATE SET bank = excluded.bank, holder = excluded.holder, purpose = excluded.purpose,
            open = excluded.open RETURNING id
        """,
        (company, project_id, account.bank, account.number, account.holder, account.purpose, account.open),
    )
    assert row is not None
    return int(row["id"])


async def tree(tx: Tx, project_id: int) -> list[dict[str, Any]]:
    """Buildings with units and how many rooms each has, by use."""
    return await tx.fetch_all(
        """
        SELECT coalesce(b.zone, '') AS zone, coalesce(b.code, '') AS building, r.unit, r.use, count(*)::int AS rooms,
               sum(r.area) AS area
        FROM rooms r LEFT JOIN buildings b ON b.id = r.building_id WHERE r.project_id = %s AND r.closed_on IS NULL
        GROUP BY 1, 2, 3, 4 ORDER BY 1, length(coalesce(b.code, '')), 2, length(r.unit), 3, 4
        """,
        (project_id,),
    )


def _room(row: Mapping[str, Any]) -> RoomRecord:
    values = RoomValues(**{name: row[name] for name in (*_OF_ROOM, "building", "zone")})
    rest = ("id", "company_id", "project_id", "status", "since", "closed_on", "payer_id", "version")
    return RoomRecord(values=values, **{name: row[name] for name in rest})
