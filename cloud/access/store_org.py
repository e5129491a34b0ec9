"""SQL of the org tree, departments and changes to people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cloud.shared.db import Tx

Place = tuple[int | None, int | None]


async def tree(tx: Tx) -> list[dict[str, Any]]:
    """Companies and projects in scope, with how many people have their place there."""
    return await tx.fetch_all(
        """
        SELECT c.id AS company_id, c.code AS company_code, c.name AS company, p.id AS project_id, p.code AS project_code,
               p.name AS project, p.kind,
               (SELECT count(*) FROM users u WHERE u.project_id = p.id AND u.status = 'active') AS people,
               (SELECT count(*) FROM users u WHERE u.company_id = c.id AND u.project_id IS NULL AND u.status = 'active') AS staff
        FROM companies c LEFT JOIN projects p ON p.company_id = c.id ORDER BY c.id, p.id
        """
    )


async def departments(tx: Tx) -> list[dict[str, Any]]:
    return await tx.fetch_all(
        """
        SELECT d.id, d.name, d.company_id, d.project_id, c.name AS company, p.name AS project,
               (SELECT count(*) FROM users u WHERE u.department_id = d.id AND u.status = 'active') AS people
        FROM departments d LEFT JOIN companies c ON c.id = d.company_id LEFT JOIN projects p ON p.id = d.project_id
        ORDER BY d.company_id NULLS FIRST, d.project_id NULLS FIRST, d.name
        """
    )


async def department(tx: Tx, department_id: int) -> dict[str, Any] | None:
    return await tx.fetch_one("SELECT id, name, company_id, project_id FROM departments WHERE id = %s", (department_id,))


async def add_department(tx: Tx, place: Place, name: str, at: datetime, by: str) -> int | None:
    """None when the place has one of this name."""
    row = await tx.fetch_one(
        """
        INSERT INTO departments (company_id, project_id, name, created_at, created_by) VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT DO NOTHING RETURNING id
        """,
        (*place, name, at, by),
    )
    return None if row is None else int(row["id"])


async def people(
    tx: Tx, *, user_id: int | None = None, projects: list[int] | None = None, q: str | None = None
) -> list[dict[str, Any]]:
    """People in scope with their roles; of some projects: who has a role that reaches there."""
    like = None if not q else "%" + q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return await tx.fetch_all(
        """
        SELECT u.id, u.number, u.name, u.phone, u.status, u.company_id, u.project_id, u.department_id, d.name AS department,
               u.totp_since IS NOT NULL AS factor, u.created_at, u.created_by,
               coalesce(json_agg(json_build_object('role', g.role, 'company', c.code, 'company_name', c.name, 'project', p.code,
                   'project_name', p.name, 'at', g.granted_at, 'by', g.granted_by) ORDER BY g.role, c.id, p.id)
                   FILTER (WHERE g.role IS NOT NULL), '[]') AS roles
        FROM users u LEFT JOIN departments d ON d.id = u.department_id LEFT JOIN user_roles g ON g.user_id = u.id
        LEFT JOIN companies c ON c.id = g.company_id LEFT JOIN projects p ON p.id = g.project_id
        WHERE (%(id)s::int IS NULL OR u.id = %(id)s)
          AND (%(like)s::text IS NULL OR u.number LIKE %(like)s OR u.name LIKE %(like)s OR u.phone LIKE %(like)s)
          AND (%(projects)s::int[] IS NULL OR EXISTS (
                SELECT FROM user_roles h WHERE h.user_id = u.id AND (h.project_id = ANY (%(projects)s)
                OR h.project_id IS NULL AND (h.company_id IS NULL OR h.company_id IN (
                    SELECT x.company_id FROM projects x WHERE x.id = ANY (%(projects)s))))))
        GROUP BY u.id, d.name ORDER BY u.status, u.number LIMIT 500
        """,
        {"id": user_id, "like": like, "projects": projects},
    )


async def set_user(tx: Tx, user_id: int, name: str, phone: str | None, department_id: int | None) -> None:
    await tx.execute(
        "UPDATE users SET name = %s, phone = %s, department_id = %s WHERE id = %s", (name, phone, department_id, user_id)
    )


async def revoke(tx: Tx, user_id: int, role: str, place: Place) -> int:
    return await tx.execute(
        """
        DELETE FROM user_roles WHERE user_id = %s AND role = %s
            AND company_id IS NOT DISTINCT FROM %s AND project_id IS NOT DISTINCT FROM %s
        """,
        (user_id, role, *place),
    )


async def roles(tx: Tx) -> list[dict[str, Any]]:
    return await tx.fetch_all(
        """
        SELECT r.code, r.name, r.levels, r.granted_by, (SELECT array_agg(m.permission ORDER BY m.permission)
               FROM role_permissions m WHERE m.role = r.code) AS permissions
        FROM roles r ORDER BY r.code
        """
    )
