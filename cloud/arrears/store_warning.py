"""SQL of warning rules: the rules, whom one concerns on a day, which days are done, what falls due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from cloud.arrears.domain_warning import Rule
from cloud.arrears.store import OWED
from cloud.shared.db import Tx

_RULE = "id, project_id, moment, days, item_code AS item, least_fen, tag, channel, active"
_MOMENTS = {
    "before": "l.due_date = %(run)s + %(days)s",
    "on": "l.due_date = %(run)s",
    "after": "%(run)s > l.due_date AND (%(run)s - l.due_date) %% greatest(%(days)s, 1) = 0",
}


async def rules(tx: Tx, projects: Sequence[int], *, active: bool = False) -> list[Rule]:
    rows = await tx.fetch_all(
        f"SELECT {_RULE} FROM warning_rules WHERE project_id = ANY(%s) AND (active OR NOT %s) ORDER BY project_id, id",
        (list(projects), active),
    )
    return [Rule(**row) for row in rows]


async def rule(tx: Tx, rule_id: int) -> Rule | None:
    row = await tx.fetch_one(f"SELECT {_RULE} FROM warning_rules WHERE id = %s", (rule_id,))
    return None if row is None else Rule(**row)


async def add_rule(tx: Tx, values: Mapping[str, Any]) -> int:
    """Its number; the same key again is the same rule."""
    row = await tx.fetch_one(
        """
        INSERT INTO warning_rules (company_id, project_id, moment, days, item_code, least_fen, tag, channel, made_by, made_at,
                                   key)
        SELECT company_id, id, %(moment)s, %(days)s, %(item)s, %(least_fen)s, %(tag)s, %(channel)s, %(by)s, %(at)s, %(key)s
        FROM projects WHERE id = %(project_id)s
        ON CONFLICT (project_id, key) DO UPDATE SET active = warning_rules.active RETURNING id
        """,
        values,
    )
    assert row is not None
    return int(row["id"])


async def switch(tx: Tx, rule_id: int, active: bool, by: str, at: datetime) -> None:
    await tx.execute(
        "UPDATE warning_rules SET active = %s, changed_by = %s, changed_at = %s WHERE id = %s", (active, by, at, rule_id)
    )


async def concerned(tx: Tx, one: Rule, run: date, today: date, over: datetime, owner: int | None = None) -> list[dict[str, Any]]:
    """Lines a rule of a day is about, as they are owed today: owner_id, name, phone, line_id, item, object, due, fen. Not what is
    in dispute or paid by instalments.
    """
    params = {
        "projects": [one.project_id], "day": today, "over": over, "run": run, "days": one.days, "item": one.item, "tag": one.tag,
        "owner": owner, "channel": one.channel,
    }  # fmt: skip
    return await tx.fetch_all(
        f"""
        WITH {OWED}
        SELECT o.id AS owner_id, o.name, l.id AS line_id, i.name AS item, l.object, l.due_date AS due, l.fen,
               coalesce((SELECT p.phone FROM owner_phones p WHERE p.owner_id = o.id AND NOT p.wrong
                           AND CASE %(channel)s WHEN 'sms' THEN p.sms WHEN 'wechat' THEN p.wechat WHEN 'call' THEN p.call
                                    ELSE true END
                         ORDER BY p.position LIMIT 1),
                        CASE WHEN EXISTS (SELECT FROM owner_phones p WHERE p.owner_id = o.id) THEN '' ELSE o.phone END) AS phone
        FROM lines l JOIN fee_items i ON i.id = l.item_id JOIN owners o ON o.id = l.payer_id
        WHERE {_MOMENTS[one.moment]} AND (%(item)s::text IS NULL OR i.code = %(item)s)
          AND (%(tag)s::text IS NULL OR %(tag)s = ANY(o.tags)) AND (%(owner)s::int IS NULL OR o.id = %(owner)s)
          AND NOT EXISTS (SELECT FROM charge_disputes d WHERE d.line_id = l.id AND d.to_day IS NULL)
          AND NOT EXISTS (SELECT FROM instalment_lines s JOIN instalment_plans p ON p.id = s.plan_id
                          WHERE s.line_id = l.id AND p.state = 'kept')
        ORDER BY o.id, l.due_date, l.id
        """,
        params,
    )


async def begin_run(tx: Tx, project_id: int, day: date, at: datetime, messages: int) -> bool:
    """False: the project was gone through on that day already."""
    return bool(
        await tx.execute(
            """
            INSERT INTO warning_runs (project_id, day, company_id, at, messages)
            SELECT id, %s, company_id, %s, %s FROM projects WHERE id = %s ON CONFLICT DO NOTHING
            """,
            (day, at, messages, project_id),
        )
    )


async def projects_to_run(tx: Tx, day: date) -> list[dict[str, Any]]:
    """id, company_id, name, contact_phone of projects with a rule that were not gone through on a day."""
    return await tx.fetch_all(
        """
        SELECT p.id, p.company_id, p.name, p.contact_phone FROM projects p
        WHERE EXISTS (SELECT FROM warning_rules w WHERE w.project_id = p.id AND w.active)
          AND NOT EXISTS (SELECT FROM warning_runs r WHERE r.project_id = p.id AND r.day = %s)
        ORDER BY p.id
        """,
        (day,),
    )


async def project(tx: Tx, project_id: int) -> dict[str, Any]:
    row = await tx.fetch_one("SELECT id, company_id, name, contact_phone FROM projects WHERE id = %s", (project_id,))
    assert row is not None
    return row


async def false_ones(tx: Tx, projects: Sequence[int]) -> dict[int, tuple[int, int]]:
    """rule -> (messages it made, of them marked false) (W-05)."""
    rows = await tx.fetch_all(
        """
        SELECT split_part(subject, ':', 2)::int AS rule, count(*) AS n, count(*) FILTER (WHERE false_at IS NOT NULL) AS wrong
        FROM messages WHERE project_id = ANY(%s) AND subject LIKE 'rule:%%' GROUP BY 1
        """,
        (list(projects),),
    )
    return {row["rule"]: (row["n"], row["wrong"]) for row in rows}


async def falling_due(tx: Tx, projects: Sequence[int], today: date, over: datetime) -> dict[int, dict[str, int]]:
    """project -> fen and holders due within 7, 15 and 30 days from today on (W-04)."""
    parts = ", ".join(
        f"coalesce(sum(l.fen) FILTER (WHERE -l.days <= {days}), 0)::bigint AS fen{days},"
        f" count(DISTINCT coalesce(l.payer_id, -l.id)) FILTER (WHERE -l.days <= {days}) AS n{days}"
        for days in (7, 15, 30)
    )
    rows = await tx.fetch_all(
        f"WITH {OWED} SELECT l.project_id, {parts} FROM lines l WHERE l.days BETWEEN -30 AND 0 AND l.fen > 0 GROUP BY 1",
        {"projects": list(projects), "day": today, "over": over},
    )
    return {row["project_id"]: row for row in rows}


async def contracts_ending(tx: Tx, projects: Sequence[int], today: date) -> dict[int, int]:
    """project -> leases that end within 60 days."""
    rows = await tx.fetch_all(
        """
        SELECT project_id, count(*) AS n FROM fee_contracts
        WHERE project_id = ANY(%s) AND to_day > %s AND to_day <= %s + 60 GROUP BY project_id
        """,
        (list(projects), today, today),
    )
    return {row["project_id"]: row["n"] for row in rows}
