"""SQL of what users keep for themselves: preferences and drafts of forms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloud.shared.db import Tx


async def preference(tx: Tx, user_id: int, name: str) -> Any:
    row = await tx.fetch_one("SELECT value FROM user_preferences WHERE user_id = %s AND name = %s", (user_id, name))
    return None if row is None else row["value"]


async def set_preference(tx: Tx, user_id: int, name: str, value: object) -> None:
    """None takes it away."""
    if value is None:
        await tx.execute("DELETE FROM user_preferences WHERE user_id = %s AND name = %s", (user_id, name))
        return
    await tx.execute(
        "INSERT INTO user_preferences (user_id, name, value) VALUES (%s, %s, %s)"
        " ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value",
        (user_id, name, json.dumps(value, ensure_ascii=False)),
    )


async def draft(tx: Tx, user_id: int, form: str, since: datetime) -> dict[str, Any] | None:
    """typed, saved_at of what was typed into a form after an instant."""
    return await tx.fetch_one(
        "SELECT typed, saved_at FROM form_drafts WHERE user_id = %s AND form = %s AND saved_at > %s", (user_id, form, since)
    )


async def save_draft(tx: Tx, user_id: int, form: str, typed: Mapping[str, object], at: datetime) -> None:
    await tx.execute(
        "INSERT INTO form_drafts (user_id, form, typed, saved_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (user_id, form) DO UPDATE SET typed = excluded.typed, saved_at = excluded.saved_at",
        (user_id, form, json.dumps(typed, ensure_ascii=False), at),
    )


async def drop_draft(tx: Tx, user_id: int, form: str) -> None:
    await tx.execute("DELETE FROM form_drafts WHERE user_id = %s AND form = %s", (user_id, form))


async def drop_old_drafts(tx: Tx, before: datetime) -> int:
    return await tx.execute("DELETE FROM form_drafts WHERE saved_at < %s", (before,))
