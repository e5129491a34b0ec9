"""SQL of people, roles, sessions and the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.access.domain import AuditEntry
from cloud.shared.db import Database, Tx


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a number's log-in is checked against; no hash: nobody has this number."""

    user_id: int | None
    name: str | None
    password_hash: str | None
    locked_until: datetime | None


@dataclass(frozen=True, slots=True)
class Role:
    code: str
    name: str
    levels: tuple[str, ...]


async def credentials(db: Database, number: str, now: datetime) -> Credentials:
    row = await db.call("SELECT user_id, name, password_hash, locked_until FROM access_credentials(%s, %s)", (number, now))
    assert row is not None
    return Credentials(**row)


async def failed(db: Database, number: str, now: datetime) -> bool:
    """Count a wrong password; whether the number is locked now."""
    row = await db.call("SELECT access_failed(%s, %s) AS locked", (number, now))
    return bool(row and row["locked"])


async def open_session(db: Database, token: bytes, user_id: int, csrf: str, now: datetime, address: str) -> None:
    await db.call("SELECT access_open(%s, %s, %s, %s, %s)", (token, user_id, csrf, now, address))


async def close_session(db: Database, token: bytes) -> None:
    await db.call("SELECT access_close(%s)", (token,))


async def close_sessions(tx: Tx, user_id: int) -> None:
    await tx.execute("SELECT access_close_all(%s)", (user_id,))


async def session(db: Database, token: bytes, now: datetime, permission: str | None) -> dict[str, Any] | None:
    """Person, roles, permissions and the scope of one permission, in one round trip."""
    return await db.call(
        """
        SELECT user_id, number, name, csrf, factor, roles, permissions, companies, projects, whole_group
        FROM access_session(%s, %s, %s)
        """,
        (token, now, permission),
    )


async def person(db: Database, user_id: int, permission: str | None) -> dict[str, Any]:
    row = await db.call(
        "SELECT roles, permissions, companies, projects, whole_group FROM access_person(%s, %s)", (user_id, permission)
    )
    assert row is not None
    return row


async def all_companies(db: Database) -> list[int]:
    row = await db.call("SELECT all_companies() AS ids")
    return list(row["ids"]) if row else []


async def role(tx: Tx, code: str) -> Role | None:
    row = await tx.fetch_one("SELECT code, name, levels FROM roles WHERE code = %s", (code,))
    return None if row is None else Role(row["code"], row["name"], tuple(row["levels"]))


async def may_grant(tx: Tx, user_id: int, code: str, company: int | None, project: int | None) -> bool:
    row = await tx.fetch_one("SELECT access_may_grant(%s, %s, %s, %s) AS may", (user_id, code, company, project))
    return bool(row and row["may"])


async def company(tx: Tx, code: str) -> int | None:
    row = await tx.fetch_one("SELECT id FROM companies WHERE code = %s", (code,))
    return None if row is None else int(row["id"])


async def project(tx: Tx, code: str) -> tuple[int, int] | None:
    """(company, project) of a project's code."""
    row = await tx.fetch_one("SELECT company_id, id FROM projects WHERE code = %s", (code,))
    return None if row is None else (row["company_id"], row["id"])


async def add_user(
    tx: Tx,
    place: tuple[int | None, int | None],
    number: str,
    name: str,
    phone: str | None,
    password_hash: str,
    at: datetime,
    by: str,
) -> int | None:
    """A person of a (company, project), a company or the group; None when the number is taken, by whomever."""
    row = await tx.fetch_one(
        """
        INSERT INTO users (company_id, project_id, number, name, phone, password_hash, created_at, created_by, password_by)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (number) DO NOTHING RETURNING id
        """,
        (*place, number, name, phone, password_hash, at, by, by),
    )
    return None if row is None else int(row["id"])


async def grant(tx: Tx, user_id: int, code: str, company: int | None, project: int | None, at: datetime, by: str) -> None:
    await tx.execute(
        """
        INSERT INTO user_roles (user_id, role, company_id, project_id, granted_at, granted_by) VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT DO NOTHING
        """,
        (user_id, code, company, project, at, by),
    )


async def may_disable(tx: Tx, user_id: int, other: int) -> bool:
    row = await tx.fetch_one("SELECT access_may_disable(%s, %s) AS may", (user_id, other))
    return bool(row and row["may"])


async def users(tx: Tx) -> list[dict[str, Any]]:
    return await tx.fetch_all(
        """
        SELECT u.id, u.number, u.name, u.phone, u.status, coalesce(json_agg(json_build_object('role', g.role, 'company', c.code,
               'project', p.code) ORDER BY g.role) FILTER (WHERE g.role IS NOT NULL), '[]') AS roles
        FROM users u LEFT JOIN user_roles g ON g.user_id = u.id
        LEFT JOIN companies c ON c.id = g.company_id LEFT JOIN projects p ON p.id = g.project_id
        GROUP BY u.id, u.number, u.name, u.phone, u.status ORDER BY u.number
        """
    )


async def user(tx: Tx, user_id: int) -> dict[str, Any] | None:
    return await tx.fetch_one("SELECT id, company_id, project_id, number, name, status FROM users WHERE id = %s", (user_id,))


async def set_status(tx: Tx, user_id: int, status: str) -> None:
    await tx.execute("UPDATE users SET status = %s WHERE id = %s", (status, user_id))


async def set_password(tx: Tx, user_id: int, password_hash: str, by: str) -> int:
    """`by`: the work number of who chose it."""
    return await tx.execute("UPDATE users SET password_hash = %s, password_by = %s WHERE id = %s", (password_hash, by, user_id))


async def known_to(tx: Tx, user_id: int) -> frozenset[str]:
    """The work numbers of those who made a person's account or last chose their password."""
    row = await tx.fetch_one("SELECT created_by, password_by FROM users WHERE id = %s", (user_id,))
    return frozenset() if row is None else frozenset({row["created_by"], row["password_by"] or ""})


async def any_people(tx: Tx) -> bool:
    row = await tx.fetch_one("SELECT EXISTS (SELECT FROM users) AS found")
    return bool(row and row["found"])


async def lock_people(tx: Tx) -> None:
    """Until the end of the transaction nobody else makes the first person."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('first person', 10))")


async def set_group(tx: Tx, name: str) -> None:
    await tx.execute("INSERT INTO group_info (name) VALUES (%s) ON CONFLICT DO NOTHING", (name,))


async def append_audit(
    tx: Tx, place: tuple[int | None, int | None], facts: Mapping[str, object], personal: Sequence[tuple[str, bytes, str]]
) -> int | None:
    """The entry's id; None when the place (company, project) is outside the scope."""
    row = await tx.fetch_one(
        """
        SELECT audit_append(%(company)s, %(project)s, %(at)s, %(user_id)s, %(number)s, %(action)s, %(object)s, %(place)s,
                            %(before)s, %(after)s, %(reason)s, %(fields)s, %(salts)s, %(values)s) AS id
        """,
        {
            **facts,
            "company": place[0],
            "project": place[1],
            "fields": [name for name, _, _ in personal],
            "salts": [salt for _, salt, _ in personal],
            "values": [value for _, _, value in personal],
        },
    )
    assert row is not None
    return None if row["id"] is None else int(row["id"])


async def audit_heads(tx: Tx) -> list[tuple[str, int, str]]:
    rows = await tx.fetch_all("SELECT chain, seq, encode(hash, 'hex') AS hash FROM audit_heads ORDER BY chain")
    return [(row["chain"], row["seq"], row["hash"]) for row in rows]


async def audit_entries(tx: Tx, chain: str, after: int, limit: int) -> list[AuditEntry]:
    rows = await tx.fetch_all(
        """
        SELECT a.id, a.chain, a.seq, a.at, a.user_id, a.number, a.action, a.object, a.place, a.before, a.after, a.reason,
               encode(a.prev, 'hex') AS prev, encode(a.hash, 'hex') AS hash,
               coalesce((SELECT json_agg(json_build_array(p.field, encode(p.salt, 'hex'), p.value) ORDER BY p.field)
                         FROM audit_personal p WHERE p.audit_id = a.id), '[]') AS personal
        FROM audit_log a WHERE a.chain = %s AND a.seq > %s ORDER BY a.seq, a.id LIMIT %s
        """,
        (chain, after, limit),
    )
    return [_entry(row) for row in rows]


def _entry(row: dict[str, Any]) -> AuditEntry:
    personal = [(name, bytes.fromhex(salt), value) for name, salt, value in row.pop("personal")]
    return AuditEntry(**row, personal=personal)
