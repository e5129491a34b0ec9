"""SQL of owners, their names before, their phones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from cloud.estate.domain_owners import OwnerRecord, OwnerValues, Phone
from cloud.shared.db import Tx

PLAIN = tuple(one.name for one in fields(OwnerValues) if one.name not in ("identity", "phones"))
"""Fields of an owner that are columns as they are."""

_REST = (
    "id", "company_id", "project_id", "identity_masked", "status", "merged_into", "created_at", "created_by", "changed_at",
    "changed_by", "version",
)  # fmt: skip
_SELECT = f"""
    SELECT {", ".join("o." + name for name in (*_REST, *PLAIN))},
           coalesce((SELECT json_agg(json_build_object('phone', p.phone, 'label', p.label, 'sms', p.sms, 'wechat', p.wechat,
                     'call', p.call, 'wrong', p.wrong) ORDER BY p.position, p.id) FROM owner_phones p WHERE p.owner_id = o.id),
                    '[]') AS phones,
           o.phone AS main_phone,
           coalesce((SELECT array_agg(h.name ORDER BY h.id DESC) FROM owner_names h WHERE h.owner_id = o.id), '{{}}') AS names
    FROM owners o
"""


async def owner(tx: Tx, owner_id: int) -> OwnerRecord | None:
    row = await tx.fetch_one(_SELECT + " WHERE o.id = %s", (owner_id,))
    return None if row is None else _owner(row)


async def owners(tx: Tx, owner_ids: Sequence[int]) -> list[OwnerRecord]:
    rows = await tx.fetch_all(_SELECT + " WHERE o.id = ANY(%s) ORDER BY o.project_id, o.number", (list(owner_ids),))
    return [_owner(row) for row in rows]


async def lock(tx: Tx, owner_ids: Sequence[int]) -> None:
    await tx.execute("SELECT FROM owners WHERE id = ANY(%s) ORDER BY id FOR UPDATE", (sorted(owner_ids),))


async def number_taken(tx: Tx, project_id: int, number: str, but: int | None) -> bool:
    row = await tx.fetch_one(
        "SELECT 1 FROM owners WHERE project_id = %s AND number = %s AND id <> coalesce(%s::int, 0)", (project_id, number, but)
    )
    return row is not None


async def by_number(tx: Tx, project_id: int, number: str) -> OwnerRecord | None:
    row = await tx.fetch_one(_SELECT + " WHERE o.project_id = %s AND o.number = %s", (project_id, number))
    return None if row is None else _owner(row)


async def sealed_identity(tx: Tx, owner_id: int) -> bytes | None:
    row = await tx.fetch_one("SELECT identity_sealed FROM owners WHERE id = %s", (owner_id,))
    return None if row is None or row["identity_sealed"] is None else bytes(row["identity_sealed"])


async def add_owner(tx: Tx, place: tuple[int, int], columns: Mapping[str, Any]) -> int:
    """A row of `owners`; the number is made when it is None."""
    names = list(columns)
    row = await tx.fetch_one(
        f"""
        INSERT INTO owners (company_id, project_id, {", ".join(names)})
        VALUES (%s, %s, {", ".join(["%s"] * len(names))}) RETURNING id
        """,
        (*place, *columns.values()),
    )
    assert row is not None
    return int(row["id"])


async def set_owner(tx: Tx, owner_id: int, version: int | None, changes: Mapping[str, Any]) -> bool:
    """False when the owner is no longer at this version."""
    sets = ", ".join(f"{name} = %({name})s" for name in changes)
    done = await tx.execute(
        f"UPDATE owners SET {sets}, version = version + 1 WHERE id = %(owner_id)s AND (%(at)s::int IS NULL OR version = %(at)s)",
        {**changes, "owner_id": owner_id, "at": version},
    )
    return done == 1


async def put_phones(tx: Tx, place: tuple[int, int], owner_id: int, phones: Sequence[Phone]) -> None:
    """These and no others, in this order."""
    await tx.execute("DELETE FROM owner_phones WHERE owner_id = %s", (owner_id,))
    if not phones:
        return
    await tx.execute(
        """
        INSERT INTO owner_phones (company_id, project_id, owner_id, phone, label, sms, wechat, call, wrong, position)
        SELECT %s, %s, %s, g.* FROM unnest(%s::text[], %s::text[], %s::boolean[], %s::boolean[], %s::boolean[], %s::boolean[])
            WITH ORDINALITY AS g
        """,
        (
            *place,
            owner_id,
            *([getattr(one, name) for one in phones] for name in ("phone", "label", "sms", "wechat", "call", "wrong")),
        ),
    )


async def remember_name(tx: Tx, place: tuple[int, int], owner_id: int, name: str, until: datetime, by: str) -> None:
    await tx.execute(
        "INSERT INTO owner_names (company_id, project_id, owner_id, name, until, by) VALUES (%s, %s, %s, %s, %s, %s)",
        (*place, owner_id, name, until, by),
    )


async def same_identity(tx: Tx, project_id: int, digest: bytes, but: int | None) -> list[int]:
    rows = await tx.fetch_all(
        """
        SELECT id FROM owners
        WHERE project_id = %s AND identity_digest = %s AND id <> coalesce(%s::int, 0) AND status IN ('active', 'left')
        """,
        (project_id, digest, but),
    )
    return [int(row["id"]) for row in rows]


async def same_phone_and_name(tx: Tx, project_id: int, phones: Sequence[str], name: str, but: int | None) -> list[int]:
    rows = await tx.fetch_all(
        """
        SELECT DISTINCT o.id FROM owners o LEFT JOIN owner_phones p ON p.owner_id = o.id
        WHERE o.project_id = %(project)s AND o.name = %(name)s AND o.status IN ('active', 'left')
          AND o.id <> coalesce(%(but)s::int, 0)
          AND (o.phone = ANY(%(phones)s) OR p.phone = ANY(%(phones)s))
        """,
        {"project": project_id, "name": name, "phones": [one for one in phones if one], "but": but},
    )
    return [int(row["id"]) for row in rows]


async def duplicates(tx: Tx, project_id: int, limit: int) -> list[list[int]]:
    """Groups of owners of a project who are likely the same: identity number, or phone and name (O-06)."""
    rows = await tx.fetch_all(
        """
        SELECT array_agg(id ORDER BY id) AS ids FROM owners
        WHERE project_id = %(project)s AND status IN ('active', 'left') AND identity_digest IS NOT NULL
        GROUP BY identity_digest HAVING count(*) > 1
        UNION
        SELECT array_agg(id ORDER BY id) FROM owners
        WHERE project_id = %(project)s AND status IN ('active', 'left') AND phone <> ''
        GROUP BY phone, name HAVING count(*) > 1
        LIMIT %(limit)s
        """,
        {"project": project_id, "limit": limit},
    )
    return sorted([int(one) for one in row["ids"]] for row in rows)


async def move_all(tx: Tx, old: int, new: int) -> None:
    """What belongs to one owner in this slice belongs to the other: rooms, payers, cars. Ranges that would double are left."""
    await tx.execute(
        """
        UPDATE room_people b SET owner_id = %(new)s WHERE b.owner_id = %(old)s AND NOT EXISTS (
            SELECT FROM room_people k WHERE k.owner_id = %(new)s AND k.room_id = b.room_id AND k.relation = b.relation
              AND daterange(k.from_day, k.to_day) && daterange(b.from_day, b.to_day))
        """,
        {"old": old, "new": new},
    )
    await tx.execute("DELETE FROM room_people WHERE owner_id = %s", (old,))
    await tx.execute("UPDATE room_payers SET owner_id = %s WHERE owner_id = %s", (new, old))
    await tx.execute("UPDATE rooms SET payer_id = %s WHERE payer_id = %s", (new, old))
    await tx.execute("UPDATE vehicles SET owner_id = %s WHERE owner_id = %s", (new, old))


async def rename_before(tx: Tx, old: int, new: int) -> None:
    """Names before of one owner become names before of the other (O-06: both histories)."""
    await tx.execute(
        """
        INSERT INTO owner_names (company_id, project_id, owner_id, name, until, by)
        SELECT company_id, project_id, %s, name, until, by FROM owner_names WHERE owner_id = %s
        """,
        (new, old),
    )


async def add_view(tx: Tx, place: tuple[int, int], owner_id: int, reason: str, by: str, at: datetime) -> None:
    await tx.execute(
        "INSERT INTO identity_views (company_id, project_id, owner_id, reason, by, at) VALUES (%s, %s, %s, %s, %s, %s)",
        (*place, owner_id, reason, by, at),
    )


async def forget(tx: Tx, owner_id: int) -> None:
    """Names before and phones go; the row keeps what is no person."""
    await tx.execute("DELETE FROM owner_names WHERE owner_id = %s", (owner_id,))
    await tx.execute("DELETE FROM owner_phones WHERE owner_id = %s", (owner_id,))
    await tx.execute("DELETE FROM vehicles WHERE owner_id = %s", (owner_id,))


async def vehicles(tx: Tx, owner_ids: Sequence[int], room_ids: Sequence[int]) -> list[dict[str, Any]]:
    return await tx.fetch_all(
        """
        SELECT v.id, v.plate, v.colour, v.brand, v.space, v.note, v.room_id, v.owner_id, coalesce(r.code, '') AS room_code
        FROM vehicles v LEFT JOIN rooms r ON r.id = v.room_id WHERE v.owner_id = ANY(%s) OR v.room_id = ANY(%s) ORDER BY v.plate
        """,
        (list(owner_ids), list(room_ids)),
    )


async def put_vehicle(tx: Tx, place: tuple[int, int], one: Mapping[str, Any]) -> int | None:
    """A car by its plate, moved to this owner and room; None when the plate belongs to another owner of the project."""
    row = await tx.fetch_one(
        """
        INSERT INTO vehicles (company_id, project_id, room_id, owner_id, plate, colour, brand, space, note)
        VALUES (%(company)s, %(project)s, %(room_id)s, %(owner_id)s, %(plate)s, %(colour)s, %(brand)s, %(space)s, %(note)s)
        ON CONFLICT (project_id, plate) DO UPDATE SET room_id = excluded.room_id, owner_id = excluded.owner_id,
            colour = excluded.colour, brand = excluded.brand, space = excluded.space, note = excluded.note
        WHERE vehicles.owner_id IS NULL OR vehicles.owner_id = excluded.owner_id
        RETURNING id
        """,
        {**one, "company": place[0], "project": place[1]},
    )
    return None if row is None else int(row["id"])


async def drop_vehicle(tx: Tx, vehicle_id: int, owner_id: int) -> bool:
    return await tx.execute("DELETE FROM vehicles WHERE id = %s AND owner_id = %s", (vehicle_id, owner_id)) == 1


def _owner(row: Mapping[str, Any]) -> OwnerRecord:
    phones = tuple(Phone(**one) for one in row["phones"])
    if not phones and row["main_phone"]:
        phones = (Phone(row["main_phone"]),)
    values = OwnerValues(**{name: row[name] for name in PLAIN if name != "tags"}, tags=tuple(row["tags"]), phones=phones)
    return OwnerRecord(values=values, names=tuple(row["names"]), **{name: row[name] for name in _REST})
