"""SQL of companies, projects, rooms and owners."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cloud.estate.domain import NewRoom, Project, Room
from cloud.shared.db import Tx

_PROJECT = """
    SELECT p.id, p.code, p.name, p.company_id, c.name AS company_name, p.kind
    FROM projects p JOIN companies c ON c.id = p.company_id
"""

_ROOM = "SELECT id, code, area, payer_id, use, charge_from, closed_on FROM rooms"


async def project(tx: Tx, project_id: int) -> Project | None:
    row = await tx.fetch_one(_PROJECT + " WHERE p.id = %s", (project_id,))
    return None if row is None else Project(**row)


async def projects(tx: Tx) -> list[Project]:
    return [Project(**row) for row in await tx.fetch_all(_PROJECT + " ORDER BY c.id, p.code")]


async def company_id(tx: Tx, code: str) -> int | None:
    row = await tx.fetch_one("SELECT id FROM companies WHERE code = %s", (code,))
    return None if row is None else int(row["id"])


async def project_by_code(tx: Tx, code: str) -> Project | None:
    row = await tx.fetch_one(_PROJECT + " WHERE p.code = %s", (code,))
    return None if row is None else Project(**row)


async def add_company(tx: Tx, code: str, name: str, at: datetime) -> int | None:
    """None when the code belongs to a company of another name."""
    row = await tx.fetch_one("SELECT access_add_company(%s, %s, %s) AS id", (code, name, at))
    assert row is not None
    return None if row["id"] is None else int(row["id"])


async def add_project(tx: Tx, company: int, code: str, name: str, kind: str, at: datetime) -> int | None:
    """None when the code is taken, by whomever."""
    row = await tx.fetch_one(
        """
        INSERT INTO projects (company_id, code, name, kind, created_at) VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (code) DO NOTHING RETURNING id
        """,
        (company, code, name, kind, at),
    )
    return None if row is None else int(row["id"])


async def room(tx: Tx, project_id: int, room_id: int) -> Room | None:
    row = await tx.fetch_one(_ROOM + " WHERE project_id = %s AND id = %s", (project_id, room_id))
    return None if row is None else Room(**row)


async def rooms(tx: Tx, project_id: int) -> list[Room]:
    rows = await tx.fetch_all(_ROOM + " WHERE project_id = %s", (project_id,))
    return [Room(**row) for row in rows]


async def owner_name(tx: Tx, owner_id: int) -> str | None:
    row = await tx.fetch_one("SELECT name FROM owners WHERE id = %s", (owner_id,))
    return None if row is None else str(row["name"])


async def room_area(tx: Tx, room_id: int) -> str | None:
    row = await tx.fetch_one("SELECT area::text AS area FROM rooms WHERE id = %s", (room_id,))
    return None if row is None else row["area"]


async def add_rooms(tx: Tx, company: int, project_id: int, new: Sequence[NewRoom], at: datetime) -> int:
    """Add the rooms whose code the project does not have yet, with buildings and owners; how many."""
    await tx.execute(
        """
        INSERT INTO buildings (company_id, project_id, code) SELECT DISTINCT %s, %s, code FROM unnest(%s::text[]) AS code
        ON CONFLICT (project_id, code) DO NOTHING
        """,
        (company, project_id, sorted({one.building for one in new if one.building})),
    )
    # Owners get their numbers before the rooms that name them, in the order of the rooms.
    row = await tx.fetch_one(
        """
        WITH given AS (
            SELECT g.*, nextval(pg_get_serial_sequence('owners', 'id'))::int AS owner_id
            FROM unnest(%(codes)s::text[], %(buildings)s::text[], %(areas)s::numeric[], %(owners)s::text[], %(pinyin)s::text[],
                        %(phones)s::text[]) WITH ORDINALITY AS g (code, building, area, owner, pinyin, phone, n)
            WHERE NOT EXISTS (SELECT FROM rooms r WHERE r.project_id = %(project)s AND r.code = g.code)),
        people AS (
            INSERT INTO owners (id, company_id, project_id, name, pinyin, phone, created_at)
            SELECT owner_id, %(company)s, %(project)s, owner, pinyin, phone, %(at)s FROM given WHERE owner IS NOT NULL
            RETURNING id),
        added AS (
            INSERT INTO rooms (company_id, project_id, building_id, code, area, payer_id, created_at)
            SELECT %(company)s, %(project)s, b.id, g.code, g.area, p.id, %(at)s
            FROM given g LEFT JOIN people p ON p.id = g.owner_id
            LEFT JOIN buildings b ON b.project_id = %(project)s AND b.code = g.building
            ORDER BY g.n RETURNING id)
        SELECT count(*)::int AS added FROM added
        """,
        {
            "codes": [one.code for one in new],
            "buildings": [one.building for one in new],
            "areas": [one.area for one in new],
            "owners": [one.owner for one in new],
            "pinyin": [one.pinyin for one in new],
            "phones": [one.phone for one in new],
            "company": company,
            "project": project_id,
            "at": at,
        },
    )
    assert row is not None
    return int(row["added"])
