"""SQL of quick unlock and the second factor (migration 0013). Secrets are read through functions that give one person's."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from cloud.shared.db import Database, Tx


@dataclass(frozen=True, slots=True)
class Idle:
    """Whose session has idled away, and the hash of their PIN."""

    user_id: int
    number: str
    name: str
    pin_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Factor:
    """A person's second factor: no secret, none; no `since`, being set up. `step`: the last one used."""

    secret: str | None = field(repr=False)
    since: datetime | None
    step: int


async def idle(db: Database, token: bytes, now: datetime) -> Idle | None:
    row = await db.call("SELECT user_id, number, name, pin_hash FROM access_idle(%s, %s)", (token, now))
    return None if row is None else Idle(**row)


async def pin_try(db: Database, token: bytes) -> bool:
    """Count a try; False when there were too many, and the session is gone."""
    row = await db.call("SELECT access_pin_try(%s) AS left", (token,))
    return bool(row and row["left"])


async def unlock(db: Database, token: bytes, now: datetime) -> None:
    await db.call("SELECT access_unlock(%s, %s)", (token, now))


async def set_pin(tx: Tx, user_id: int, pin_hash: str | None) -> None:
    await tx.execute("UPDATE users SET pin_hash = %s WHERE id = %s", (pin_hash, user_id))


async def factor(db: Database, user_id: int) -> Factor:
    row = await db.call("SELECT secret, since, step FROM access_factor(%s)", (user_id,))
    return Factor(None, None, 0) if row is None else Factor(**row)


async def use_step(db: Database, user_id: int, step: int) -> bool:
    """False when this code was used already."""
    row = await db.call("SELECT access_factor_used(%s, %s) AS done", (user_id, step))
    return bool(row and row["done"])


async def set_factor(tx: Tx, user_id: int, secret: str | None, since: datetime | None) -> None:
    await tx.execute("UPDATE users SET totp_secret = %s, totp_since = %s WHERE id = %s", (secret, since, user_id))
