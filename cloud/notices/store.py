"""SQL of the outbox: messages, whose day is taken, the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from cloud.notices.domain_outbox import Message, To
from cloud.shared.db import Tx

_MESSAGE = (
    "id, company_id, project_id, kind, money, owner_id, user_id, name, phone, channel, subject, text, reason, computed,"
    " not_before, tries"
)


def message_of(row: Mapping[str, Any]) -> Message:
    return Message(
        row["id"], row["company_id"], row["project_id"], row["kind"], row["money"],
        To(row["name"], row["phone"], row["owner_id"], row["user_id"]), row["channel"], row["subject"], row["text"],
        row["reason"], tuple(row["computed"]), row["not_before"], row["tries"],
    )  # fmt: skip


async def add(tx: Tx, values: Mapping[str, Any]) -> int:
    """The message's number; the first one's when the key is known."""
    row = await tx.fetch_one(
        """
        INSERT INTO messages (company_id, project_id, kind, money, who, owner_id, user_id, name, phone, channel, subject, text,
                              reason, computed, key, not_before, next_at, state, note)
        VALUES (%(company_id)s, %(project_id)s, %(kind)s, %(money)s, %(who)s, %(owner_id)s, %(user_id)s, %(name)s, %(phone)s,
                %(channel)s, %(subject)s, %(text)s, %(reason)s, %(computed)s, %(key)s, %(not_before)s, %(next_at)s, %(state)s,
                %(note)s)
        ON CONFLICT (company_id, key) DO NOTHING RETURNING id
        """,
        values,
    )
    if row is None:
        row = await tx.fetch_one("SELECT id FROM messages WHERE company_id = %(company_id)s AND key = %(key)s", values)
    assert row is not None
    return int(row["id"])


async def due(tx: Tx, channels: Sequence[str], now: datetime) -> Message | None:
    """The message that waits longest and may go; not locked."""
    row = await tx.fetch_one(
        f"""
        SELECT {_MESSAGE} FROM messages WHERE state = 'waiting' AND next_at <= %s AND channel = ANY(%s)
        ORDER BY next_at, id LIMIT 1
        """,
        (now, list(channels)),
    )
    return None if row is None else message_of(row)


async def by_hand(tx: Tx, before: datetime, limit: int) -> list[Message]:
    """Waiting calls and papers that were not checked since a moment, locked."""
    rows = await tx.fetch_all(
        f"""
        SELECT {_MESSAGE} FROM messages
        WHERE state = 'waiting' AND channel IN ('call', 'print') AND (checked_at IS NULL OR checked_at < %s)
        ORDER BY next_at, id LIMIT %s FOR UPDATE SKIP LOCKED
        """,
        (before, limit),
    )
    return [message_of(row) for row in rows]


async def lock(tx: Tx, name: str) -> None:
    """One dispatcher at a time for a person's messages in a project."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('messages ' || %s, 0))", (name,))


async def group(tx: Tx, lead: Message, now: datetime) -> list[Message]:
    """The lead, if it still waits, first; and the other messages about money of the same person, project and channel that may go
    now. Locked.
    """
    rows = await tx.fetch_all(
        f"""
        SELECT {_MESSAGE} FROM messages
        WHERE state = 'waiting' AND (id = %(id)s OR (%(money)s AND money AND project_id = %(project)s AND who = %(who)s
              AND channel = %(channel)s AND next_at <= %(now)s))
        ORDER BY id <> %(id)s, id FOR UPDATE
        """,
        {
            "id": lead.id, "money": lead.money, "project": lead.project_id, "who": lead.to.who, "channel": lead.channel,
            "now": now,
        },
    )  # fmt: skip
    return [message_of(row) for row in rows] if rows and rows[0]["id"] == lead.id else []


async def take_day(tx: Tx, lead: Message, day: date) -> bool:
    """Whether the person's one message of a day is this one."""
    params = {"id": lead.id, "company": lead.company_id, "project": lead.project_id, "who": lead.to.who, "day": day}
    await tx.execute(
        """
        INSERT INTO message_days (company_id, project_id, who, day, message_id)
        VALUES (%(company)s, %(project)s, %(who)s, %(day)s, %(id)s) ON CONFLICT DO NOTHING
        """,
        params,
    )
    row = await tx.fetch_one(
        "SELECT message_id FROM message_days WHERE project_id = %(project)s AND who = %(who)s AND day = %(day)s", params
    )
    return row is not None and row["message_id"] == lead.id


async def set_state(tx: Tx, ids: Sequence[int], state: str, **more: object) -> None:
    """State and whatever else is named: next_at, tries, checked_at, sent_at, sent_text, reference, note, merged_into."""
    known = ("next_at", "tries", "checked_at", "sent_at", "sent_text", "reference", "note", "merged_into", "text", "computed")
    named = [name for name in known if name in more]
    sets = "".join(f", {name} = %({name})s" for name in named)
    await tx.execute(
        f"UPDATE messages SET state = %(state)s{sets} WHERE id = ANY(%(ids)s)", {**more, "state": state, "ids": list(ids)}
    )


async def postpone(tx: Tx, ids: Sequence[int], until: datetime) -> None:
    await tx.execute("UPDATE messages SET next_at = %s WHERE id = ANY(%s) AND state = 'waiting'", (until, list(ids)))


async def stale(tx: Tx, before: datetime, note: str) -> int:
    """Drop what should have gone out before a moment."""
    return await tx.execute(
        "UPDATE messages SET state = 'cancelled', note = %s WHERE state = 'waiting' AND not_before < %s", (note, before)
    )


async def stuck(tx: Tx, before: datetime, note: str) -> int:
    """Messages whose dispatcher died while it sent them: nobody knows. About money they are not sent twice; others are."""
    return await tx.execute(
        """
        UPDATE messages SET state = CASE WHEN money THEN 'unknown' ELSE 'waiting' END, note = %s
        WHERE state = 'sending' AND next_at < %s
        """,
        (note, before),
    )


async def cancel(tx: Tx, project_id: int, subject: str, note: str) -> int:
    return await tx.execute(
        "UPDATE messages SET state = 'cancelled', note = %s WHERE project_id = %s AND subject = %s AND state = 'waiting'",
        (note, project_id, subject),
    )


async def one(tx: Tx, message_id: int, *, people: bool) -> dict[str, Any] | None:
    """`people`: also what was sent to people of the house."""
    return await tx.fetch_one(
        """
        SELECT m.*, p.name AS project FROM messages m LEFT JOIN projects p ON p.id = m.project_id
        WHERE m.id = %s AND (%s OR m.user_id IS NULL)
        """,
        (message_id, people),
    )


async def mark_false(tx: Tx, message_id: int, note: str, by: str, at: datetime) -> None:
    await tx.execute(
        "UPDATE messages SET false_at = %s, false_by = %s, false_note = %s WHERE id = %s", (at, by, note, message_id)
    )


async def erase(tx: Tx, owner_id: int) -> int:
    """Nothing of a person stays in what was sent to them (O-10)."""
    return await tx.execute(
        """
        UPDATE messages SET name = '', phone = '', text = '已删除', computed = '{}',
               sent_text = CASE WHEN sent_text IS NULL THEN NULL ELSE '已删除' END,
               state = CASE WHEN state = 'waiting' THEN 'cancelled' ELSE state END
        WHERE owner_id = %s
        """,
        (owner_id,),
    )


_LIST = """
    SELECT m.id, m.project_id, p.name AS project, m.kind, m.name, m.phone, m.owner_id, m.channel, m.subject, m.reason,
           coalesce(m.sent_text, m.text) AS text, m.state, m.not_before, m.next_at, m.sent_at, m.note, m.tries, m.merged_into,
           m.false_note
    FROM messages m LEFT JOIN projects p ON p.id = m.project_id
    WHERE (m.project_id = ANY(%(projects)s) OR (m.project_id IS NULL AND %(people)s)) AND (%(people)s OR m.user_id IS NULL)
      AND (%(state)s::text IS NULL OR m.state = %(state)s)
      AND (%(channel)s::text IS NULL OR m.channel = %(channel)s)
      AND (%(kind)s::text IS NULL OR m.kind = %(kind)s)
      AND (%(owner)s::int IS NULL OR m.owner_id = %(owner)s)
      AND (%(first)s::timestamptz IS NULL OR m.not_before >= %(first)s)
      AND (%(last)s::timestamptz IS NULL OR m.not_before < %(last)s)
      AND (%(wrong)s::bool IS NULL OR m.false_at IS NOT NULL)
      AND (%(like)s::text IS NULL OR m.name ILIKE %(like)s OR m.text ILIKE %(like)s)
"""


async def listed(tx: Tx, where: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """Newest first, behind `after` (id)."""
    return await tx.fetch_all(
        f"{_LIST} AND (%(after)s::bigint IS NULL OR m.id < %(after)s) ORDER BY m.id DESC LIMIT %(limit)s",
        {**where, "limit": limit},
    )


async def count(tx: Tx, where: Mapping[str, Any]) -> int:
    row = await tx.fetch_one(f"SELECT count(*) AS n FROM ({_LIST}) found", where)
    assert row is not None
    return int(row["n"])


async def last_contact(tx: Tx, project_ids: Sequence[int]) -> dict[int, tuple[datetime, str]]:
    """owner -> (when, channel) of the last message about money that went out."""
    rows = await tx.fetch_all(
        """
        SELECT DISTINCT ON (owner_id) owner_id, sent_at, channel FROM messages
        WHERE project_id = ANY(%s) AND money AND state = 'sent' AND owner_id IS NOT NULL ORDER BY owner_id, sent_at DESC
        """,
        (list(project_ids),),
    )
    return {row["owner_id"]: (row["sent_at"], row["channel"]) for row in rows}
