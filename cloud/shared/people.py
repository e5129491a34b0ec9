"""What users keep for themselves: chosen columns of a list, kept conditions, size of text (UI.md 7, 15)."""

from __future__ import annotations

from typing import Any, Protocol

from cloud.shared import store_people
from cloud.shared.db import Tx

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


async def _kept(tx: Tx, user: Known, name: str) -> Any:
    return None if user.user_id is None else await store_people.preference(tx, user.user_id, name)


async def _keep(tx: Tx, user: Known, name: str, value: object) -> None:
    if user.user_id is not None:
        await store_people.set_preference(tx, user.user_id, name, value)
