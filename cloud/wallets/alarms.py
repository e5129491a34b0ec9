"""Wallets that run low: below their limit, or with less than seven days of average use (V-04)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cloud.shared.db import Tx
from cloud.wallets import store
from cloud.wallets.accounts import Low, Wallet
from protocols.money import Fen
from protocols.time import business_date

WINDOW = timedelta(days=90)
"""What average use is taken over: a quarter, so that monthly bills weigh evenly."""
AGAIN = timedelta(days=3)


async def low(tx: Tx, projects: Sequence[int], now: datetime) -> list[Low]:
    """The wallets of projects that are low now, whoever was told."""
    return [one for one, _ in await _low(tx, projects, now)]


async def sound(tx: Tx, projects: Sequence[int], now: datetime) -> list[Low]:
    """Write down the alarms that are due: low, and not told within three days. They are sent from `wallet_alarms`."""
    due = [one for one, told in await _low(tx, projects, now) if told is None or now - told >= AGAIN]
    for one in due:
        await store.add_alarm(tx, one.wallet, one.reason, now)
        told = {"wallet": one.wallet.id, "project_id": one.wallet.project_id, "balance_fen": one.wallet.balance_fen}
        await tx.notify("wallet_low", told)
    return due


async def average_use(tx: Tx, wallet: Wallet, now: datetime) -> Fen:
    """Fen a day, over the last 90 days or since the first deduction."""
    rows = await store.use(tx, [wallet.project_id], now - WINDOW, wallet.id)
    return _daily(rows[0], now) if rows else 0


async def _low(tx: Tx, projects: Sequence[int], now: datetime) -> list[tuple[Low, datetime | None]]:
    found = []
    for row in await store.use(tx, projects, now - WINDOW):
        daily = _daily(row, now)
        wallet = Wallet(**{name: row[name] for name in Wallet.__dataclass_fields__})
        if wallet.low_fen is not None and wallet.balance_fen < wallet.low_fen:
            found.append((Low(wallet, "limit", daily), row["alarmed_at"]))
        elif daily and wallet.balance_fen < daily * row["low_days"]:
            found.append((Low(wallet, "days", daily), row["alarmed_at"]))
    return found


def _daily(row: Mapping[str, Any], now: datetime) -> Fen:
    """Rounded up, so that a wallet alarms rather too early; a first deduction of today counts as a month's."""
    if row["used_fen"] <= 0 or row["first_at"] is None:
        return 0
    days = max((business_date(now) - business_date(row["first_at"])).days, 30)
    return -(-int(row["used_fen"]) // min(days, WINDOW.days))
