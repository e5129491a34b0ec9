"""What users keep for themselves: chosen columns of a list, kept conditions, size of text, drafts (UI.md 7, 8, 15)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from cloud.shared import store_people
from cloud.shared.db import Tx

DRAFTS = timedelta(days=14)
TEXT_COOKIE = "gh_text"
TEXT_SIZES = {"": "标准", "l": "大", "xl": "特大"}


class Known(Protocol):
    """Somebody logged in."""

    @property
    def user_id(self) -> int | None: ...


async def chosen_columns(tx: Tx, user: Known, table: str) -> list[str] | None:
    """The columns somebody chose for a list, in their order; None: the usual ones."""
    found = await _kept(tx, user, f"columns:{table}")
    return [str(one) for one in found] if isinstance(found, list) else None


async def choose_columns(tx: Tx, user: Known, table: str, columns: list[str] | None) -> None:
    await _keep(tx, user, f"columns:{table}", columns)


async def text_size(tx: Tx, user: Known) -> str:
    found = await _kept(tx, user, "text")
    return found if isinstance(found, str) and found in TEXT_SIZES else ""


async def set_text_size(tx: Tx, user: Known, size: str) -> None:
    await _keep(tx, user, "text", size or None)


async def draft(tx: Tx, user: Known, form: str, now: datetime) -> tuple[dict[str, str], datetime] | None:
    """What somebody typed into a form and did not send in the last 14 days, and when it was kept."""
    if user.user_id is None:
        return None
    row = await store_people.draft(tx, user.user_id, form, now - DRAFTS)
    return None if row is None else (row["typed"], row["saved_at"])


async def save_draft(tx: Tx, user: Known, form: str, typed: Mapping[str, str], now: datetime) -> None:
    """Secrets never come here: the page leaves out passwords and the session's token."""
    if user.user_id is not None:
        await store_people.save_draft(tx, user.user_id, form, typed, now)


async def drop_draft(tx: Tx, user: Known, form: str) -> None:
    if user.user_id is not None:
        await store_people.drop_draft(tx, user.user_id, form)


async def _kept(tx: Tx, user: Known, name: str) -> Any:
    return None if user.user_id is None else await store_people.preference(tx, user.user_id, name)


async def _keep(tx: Tx, user: Known, name: str, value: object) -> None:
    if user.user_id is not None:
        await store_people.set_preference(tx, user.user_id, name, value)
