"""SQL of who belongs to rooms and who pays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from cloud.estate.domain_owners import Payer, Relation, Transfer
from cloud.shared.db import Tx

_PAYER = """
    SELECT p.id, p.room_id, p.item_code, p.owner_id, coalesce(o.name, '') AS name, p.from_day, p.to_day
    FROM room_payers p LEFT JOIN owners o ON o.id = p.owner_id
"""
_RELATION = """
    SELECT b.id, b.room_id, r.code AS room_code, b.owner_id, o.name, o.phone, b.relation, b.share, b.from_day, b.to_day
    FROM room_people b JOIN owners o ON o.id = b.owner_id JOIN rooms r ON r.id = b.room_id
"""
_TRANSFER = """
    SELECT id, project_id, room_id, old_owner_id, new_owner_id, from_day, arrears, wallets, deposits, consent, reason
    FROM owner_transfers
"""


async def lock_room(tx: Tx, room_id: int) -> None:
    """Who changes the payers of a room comes one after the other."""
    await tx.execute("SELECT FROM rooms WHERE id = %s FOR UPDATE", (room_id,))


async def payers_on(tx: Tx, room_ids: Sequence[int], day: date) -> list[dict[str, object]]:
    return await tx.fetch_all(
        """
        SELECT room_id, item_code, owner_id FROM room_payers
        WHERE room_id = ANY(%s) AND NOT cancelled AND (from_day IS NULL OR from_day <= %s) AND (to_day IS NULL OR to_day > %s)
        """,
        (list(room_ids), day, day),
    )


async def default_payer(tx: Tx, room_id: int, day: date) -> int | None:
    found = [row["owner_id"] for row in await payers_on(tx, [room_id], day) if row["item_code"] is None]
    return found[0] if found and isinstance(found[0], int) else None


async def payers(tx: Tx, room_ids: Sequence[int]) -> list[Payer]:
    """All that count, by room, item and day."""
    rows = await tx.fetch_all(
        _PAYER
        + " WHERE p.room_id = ANY(%s) AND NOT p.cancelled ORDER BY p.room_id, p.item_code NULLS FIRST, p.from_day NULLS FIRST",
        (list(room_ids),),
    )
    return [Payer(**row) for row in rows]


async def end_payer(tx: Tx, payer_id: int, day: date) -> None:
    await tx.execute("UPDATE room_payers SET to_day = %s WHERE id = %s", (day, payer_id))


async def cancel_payer(tx: Tx, payer_id: int) -> None:
    await tx.execute("UPDATE room_payers SET cancelled = true WHERE id = %s", (payer_id,))


async def add_payer(
    tx: Tx, place: tuple[int, int], room_id: int, item_code: str | None, owner_id: int | None,
    days: tuple[date | None, date | None], by: str, at: datetime,
) -> None:  # fmt: skip
    await tx.execute(
        """
        INSERT INTO room_payers (company_id, project_id, room_id, item_code, owner_id, from_day, to_day, by, at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (*place, room_id, item_code, owner_id, *days, by, at),
    )


async def begin(tx: Tx, room_ids: Sequence[int], day: date) -> None:
    """Rooms made by a split or a merger belong to their people from that day on only."""
    await tx.execute("UPDATE room_people SET from_day = %s WHERE room_id = ANY(%s)", (day, list(room_ids)))
    await tx.execute("UPDATE room_payers SET from_day = %s WHERE room_id = ANY(%s)", (day, list(room_ids)))


async def turn_payers(tx: Tx, today: date, room_ids: Sequence[int] | None = None, *, since: date = date.min) -> int:
    """Let rooms name whoever pays from today on; how many changed. Without rooms: those with a turn after `since`."""
    return await tx.execute(
        """
        UPDATE rooms r SET payer_id = now.owner_id
        FROM (SELECT p.room_id, p.owner_id FROM room_payers p
              WHERE p.item_code IS NULL AND NOT p.cancelled AND (p.from_day IS NULL OR p.from_day <= %(today)s)
                AND (p.to_day IS NULL OR p.to_day > %(today)s)
                AND CASE WHEN %(rooms)s::int[] IS NULL THEN p.from_day > %(since)s ELSE p.room_id = ANY(%(rooms)s) END) now
        WHERE r.id = now.room_id AND r.payer_id IS DISTINCT FROM now.owner_id
        """,
        {"today": today, "since": since, "rooms": None if room_ids is None else list(room_ids)},
    )


async def relations_of_rooms(tx: Tx, room_ids: Sequence[int]) -> list[Relation]:
    rows = await tx.fetch_all(
        _RELATION + " WHERE b.room_id = ANY(%s) ORDER BY b.room_id, b.to_day DESC NULLS FIRST, b.from_day NULLS FIRST, b.id",
        (list(room_ids),),
    )
    return [Relation(**row) for row in rows]


async def relations_of_owners(tx: Tx, owner_ids: Sequence[int]) -> list[Relation]:
    rows = await tx.fetch_all(
        _RELATION + " WHERE b.owner_id = ANY(%s) ORDER BY b.to_day DESC NULLS FIRST, length(r.code), r.code, b.id",
        (list(owner_ids),),
    )
    return [Relation(**row) for row in rows]


async def add_relation(
    tx: Tx, place: tuple[int, int], room_id: int, owner_id: int, relation: str, share: Decimal | None,
    days: tuple[date | None, date | None], by: str,
) -> int:  # fmt: skip
    row = await tx.fetch_one(
        """
        INSERT INTO room_people (company_id, project_id, room_id, owner_id, relation, share, from_day, to_day, by)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        (*place, room_id, owner_id, relation, share, *days, by),
    )
    assert row is not None
    return int(row["id"])


async def end_relation(tx: Tx, relation_id: int, day: date) -> None:
    await tx.execute("UPDATE room_people SET to_day = %s WHERE id = %s", (day, relation_id))


async def pays_from(tx: Tx, owner_id: int, day: date) -> bool:
    """Whether somebody pays for a room on a day or later."""
    row = await tx.fetch_one(
        "SELECT 1 FROM room_payers WHERE owner_id = %s AND NOT cancelled AND (to_day IS NULL OR to_day > %s) LIMIT 1",
        (owner_id, day),
    )
    return row is not None


async def drop_relation(tx: Tx, relation_id: int) -> None:
    """Of one that never held for a day."""
    await tx.execute("DELETE FROM room_people WHERE id = %s", (relation_id,))


async def transfer_by_key(tx: Tx, project_id: int, key: str) -> Transfer | None:
    row = await tx.fetch_one(_TRANSFER + " WHERE project_id = %s AND key = %s", (project_id, key))
    return None if row is None else Transfer(**row)


async def transfers(tx: Tx, room_id: int) -> list[Transfer]:
    return [Transfer(**row) for row in await tx.fetch_all(_TRANSFER + " WHERE room_id = %s ORDER BY id", (room_id,))]


async def add_transfer(tx: Tx, company: int, one: Transfer, key: str, by: str, at: datetime) -> int:
    row = await tx.fetch_one(
        """
        INSERT INTO owner_transfers (company_id, project_id, room_id, old_owner_id, new_owner_id, from_day, arrears, wallets,
            deposits, consent, reason, key, by, at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
        """,
        (company, one.project_id, one.room_id, one.old_owner_id, one.new_owner_id, one.from_day, one.arrears, one.wallets,
         one.deposits, one.consent, one.reason, key, by, at),
    )  # fmt: skip
    assert row is not None
    return int(row["id"])
