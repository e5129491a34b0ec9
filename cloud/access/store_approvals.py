"""SQL of approvals: kinds, tiers, requests, decisions, delegations (migration 0012)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from cloud.access.domain_approvals import Approval, Authority, Decision, Kind, Tier
from cloud.shared.db import Database, Scope, Tx
from protocols.money import Fen

_COLUMNS = """
    a.id, a.kind, a.company_id, a.project_id, a.subject, a.title, a.amount_fen, a.before, a.after, a.payload, a.reason,
    a.requester, a.requester_number, a.requester_name, a.terminal, a.requested_at, a.state, a.expires_at, a.beneficiary,
    a.cumulated_fen, a.roles, a.second_roles, a.step, a.decided_by, a.decided_number, a.decided_name, a.decided_at, a.note,
    k.name AS kind_name, p.name AS project_name,
    (SELECT json_agg(json_build_array(d.step, d.by_user, d.by_number, d.by_name, d.on_behalf_of, d.approve, d.note,
                     d.terminal, d.at) ORDER BY d.step) FROM approval_decisions d WHERE d.approval_id = a.id) AS decisions
    FROM approvals a JOIN approval_kinds k ON k.code = a.kind JOIN projects p ON p.id = a.project_id
"""
_NOW = "CASE WHEN a.state = 'waiting' AND a.expires_at <= %(now)s THEN 'expired' ELSE a.state END"


async def kinds(tx: Tx) -> list[Kind]:
    rows = await tx.fetch_all(
        "SELECT code, name, request, approvers, family, window_days, hours FROM approval_kinds ORDER BY position"
    )
    return [Kind(**row | {"approvers": tuple(row["approvers"])}) for row in rows]


async def company_of(tx: Tx, project_id: int) -> int | None:
    row = await tx.fetch_one("SELECT company_id FROM projects WHERE id = %s", (project_id,))
    return None if row is None else int(row["company_id"])


async def may(tx: Tx, user_id: int, permission: str, company_id: int, project_id: int) -> bool:
    row = await tx.fetch_one("SELECT access_may(%s, %s, %s, %s) AS may", (user_id, permission, company_id, project_id))
    return bool(row and row["may"])


async def tiers(tx: Tx, company_id: int) -> dict[str, list[Tier]]:
    """The tiers in force by kind: a company's own, else the group's."""
    rows = await tx.fetch_all(
        """
        SELECT t.kind, t.up_to_fen, t.roles, t.second_roles
        FROM approval_tiers t
        JOIN (SELECT DISTINCT ON (kind) kind, company_id, version FROM approval_tiers
              WHERE company_id IS NULL OR company_id = %s ORDER BY kind, company_id NULLS LAST, version DESC) newest
             ON newest.kind = t.kind AND newest.version = t.version AND newest.company_id IS NOT DISTINCT FROM t.company_id
        ORDER BY t.kind, t.up_to_fen NULLS LAST
        """,
        (company_id,),
    )
    found: dict[str, list[Tier]] = {}
    for row in rows:
        second = None if row["second_roles"] is None else tuple(row["second_roles"])
        found.setdefault(row["kind"], []).append(Tier(row["up_to_fen"], tuple(row["roles"]), second))
    return found


async def lock(tx: Tx, company_id: int, family: str, beneficiary: str) -> None:
    """Requests for one beneficiary come one after another in the whole company, so that each counts those before it (A-11)."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 12))", (f"approval {company_id} {family} {beneficiary}",))


async def cumulated(tx: Tx, company_id: int, family: str, beneficiary: str, since: datetime) -> Fen:
    """Waiting and approved amounts of a family for one beneficiary in the whole company, asked for since (A-11)."""
    row = await tx.fetch_one("SELECT approval_cumulated(%s, %s, %s, %s) AS fen", (company_id, family, beneficiary, since))
    return int(row["fen"]) if row else 0


async def like_requests(tx: Tx, requester: int, kind: str, since: datetime) -> Mapping[str, Any]:
    """What a requester asked of one kind since: count, fen, returned."""
    row = await tx.fetch_one(
        """
        SELECT count(*) AS count, coalesce(sum(amount_fen), 0)::bigint AS fen,
               count(*) FILTER (WHERE state = 'returned') AS returned
        FROM approvals WHERE requester = %s AND kind = %s AND requested_at > %s
        """,
        (requester, kind, since),
    )
    assert row is not None
    return row


async def by_key(tx: Tx, project_id: int, key: str) -> Approval | None:
    row = await tx.fetch_one(f"SELECT {_COLUMNS} WHERE a.project_id = %s AND a.key = %s", (project_id, key))
    return None if row is None else _approval(row)


async def by_id(tx: Tx, approval_id: int, *, lock: bool = False) -> Approval | None:
    if lock:
        await tx.execute("SELECT id FROM approvals WHERE id = %s FOR UPDATE", (approval_id,))
    row = await tx.fetch_one(f"SELECT {_COLUMNS} WHERE a.id = %s", (approval_id,))
    return None if row is None else _approval(row)


async def add(tx: Tx, facts: Mapping[str, object]) -> int | None:
    """The new id; None when the key or the subject's waiting place is taken."""
    names = sorted(facts)
    values = [json.dumps(facts[name], default=str) if name == "payload" else facts[name] for name in names]
    row = await tx.fetch_one(
        f"""
        INSERT INTO approvals ({", ".join(names)}) VALUES ({", ".join(["%s"] * len(names))})
        ON CONFLICT DO NOTHING RETURNING id
        """,
        values,
    )
    return None if row is None else int(row["id"])


async def waiting_on(tx: Tx, project_id: int, kind: str, subject: str) -> Approval | None:
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} WHERE a.project_id = %s AND a.kind = %s AND a.subject = %s AND a.state = 'waiting'",
        (project_id, kind, subject),
    )
    return None if row is None else _approval(row)


async def listed(tx: Tx, where: Mapping[str, object], limit: int) -> list[Approval]:
    """`where`: now, states, kind, projects, subject, requester, before (an id); None of one: any. Waiting ones by kind, oldest
    first; others newest first. A waiting one past `now` is expired.
    """
    order = "k.position, a.requested_at, a.id" if where["states"] == ["waiting"] else "a.id DESC"
    rows = await tx.fetch_all(
        f"""
        SELECT {_COLUMNS}
        WHERE (%(states)s::text[] IS NULL OR {_NOW} = ANY (%(states)s))
          AND (%(kind)s::text IS NULL OR a.kind = %(kind)s)
          AND (%(projects)s::int[] IS NULL OR a.project_id = ANY (%(projects)s))
          AND (%(subject)s::text IS NULL OR a.subject = %(subject)s)
          AND (%(requester)s::int IS NULL OR a.requester = %(requester)s)
          AND (%(before)s::bigint IS NULL OR a.id < %(before)s)
        ORDER BY {order} LIMIT %(limit)s
        """,
        {**where, "limit": limit},
    )
    return [_approval(row) for row in rows]


async def add_decision(tx: Tx, approval: Approval, facts: Mapping[str, object]) -> None:
    names = ["approval_id", "step", "company_id", "project_id", "requester", *sorted(facts)]
    values = [approval.id, approval.step, approval.company_id, approval.project_id, approval.requester]
    await tx.execute(
        f"INSERT INTO approval_decisions ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})",
        [*values, *(facts[name] for name in sorted(facts))],
    )


async def next_step(tx: Tx, approval_id: int) -> None:
    await tx.execute("UPDATE approvals SET step = 2 WHERE id = %s AND state = 'waiting'", (approval_id,))


async def close(
    tx: Tx, approval_id: int, state: str, at: datetime, *, by: tuple[int, str, str] | None = None, note: str = ""
) -> None:
    """`by`: who decided (id, number, name); nobody for what expired or was withdrawn."""
    person = by or (None, "", "")
    await tx.execute(
        """
        UPDATE approvals SET state = %s, decided_at = %s, decided_by = %s, decided_number = %s, decided_name = %s, note = %s
        WHERE id = %s
        """,
        (state, at, *person, note, approval_id),
    )


async def lapse(tx: Tx, now: datetime) -> list[Approval]:
    """Write down what has expired; what it was."""
    rows = await tx.fetch_all(
        f"SELECT {_COLUMNS} WHERE a.state = 'waiting' AND a.expires_at <= %s ORDER BY a.id FOR UPDATE OF a SKIP LOCKED", (now,)
    )
    found = [_approval(row) for row in rows]
    for one in found:
        await close(tx, one.id, "expired", now)
    return found


async def place(db: Database, approval_id: int) -> tuple[int, int] | None:
    """(company, project) of an approval, before its reader's right is known."""
    row = await db.call("SELECT company_id, project_id FROM approval_place(%s)", (approval_id,))
    return None if row is None else (row["company_id"], row["project_id"])


async def authorities(tx: Tx, user_id: int, today: date) -> list[Authority]:
    rows = await tx.fetch_all(
        "SELECT role, company_id, project_id, kinds, authority FROM approval_authorities(%s, %s)", (user_id, today)
    )
    return [
        Authority(
            row["role"],
            row["company_id"],
            row["project_id"],
            None if row["kinds"] is None else tuple(row["kinds"]),
            row["authority"],
        )
        for row in rows
    ]


async def reach(db: Database, user_id: int, today: date) -> Scope:
    row = await db.call("SELECT companies, projects, whole_group FROM approval_reach(%s, %s)", (user_id, today))
    assert row is not None
    projects = None if row["projects"] is None else frozenset(row["projects"])
    return Scope(frozenset(row["companies"]), projects, row["whole_group"])


async def delegate(
    tx: Tx, user_id: int, number: str, kinds: Sequence[str] | None, days: tuple[date, date], reason: str, at: datetime
) -> int | None:
    """None: nobody with this number approves anything in the same tree."""
    row = await tx.fetch_one(
        "SELECT approval_delegate(%s, %s, %s, %s, %s, %s, %s) AS id",
        (user_id, number, None if kinds is None else list(kinds), *days, reason, at),
    )
    return None if row is None or row["id"] is None else int(row["id"])


async def end_delegation(tx: Tx, user_id: int, delegation_id: int, at: datetime) -> bool:
    row = await tx.fetch_one("SELECT approval_undelegate(%s, %s, %s) AS done", (user_id, delegation_id, at))
    return bool(row and row["done"])


async def delegations(tx: Tx, user_id: int) -> list[dict[str, Any]]:
    return await tx.fetch_all(
        """
        SELECT id, from_number, from_name, to_number, to_name, kinds, first_day, last_day, reason, mine, ended_at
        FROM approval_delegations_of(%s)
        """,
        (user_id,),
    )


def _approval(row: dict[str, Any]) -> Approval:
    names = ("step", "by_user", "by_number", "by_name", "on_behalf_of", "approve", "note", "terminal")
    decisions = [
        Decision(**dict(zip(names, one[:-1], strict=True)), at=datetime.fromisoformat(one[-1]))
        for one in row.pop("decisions") or ()
    ]
    roles, second = tuple(row.pop("roles")), row.pop("second_roles")
    return Approval(**row, roles=roles, second_roles=None if second is None else tuple(second), decisions=tuple(decisions))
