"""Wallets that run low: below their limit, or with less than seven days of average use; who pays is told (V-04)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cloud.estate import service as estate
from cloud.notices import service as notices
from cloud.shared.db import Tx
from cloud.wallets import store
from cloud.wallets.accounts import Low, Wallet
from protocols.money import Fen, yuan
from protocols.time import business_date

WINDOW = timedelta(days=90)
"""What average use is taken over: a quarter, so that monthly bills weigh evenly."""
AGAIN = timedelta(days=3)
KIND = "wallet.low"


async def low(tx: Tx, projects: Sequence[int], now: datetime) -> list[Low]:
    """The wallets of projects that are low now, whoever was told."""
    return [one for one, _ in await _low(tx, projects, now)]


async def sound(tx: Tx, projects: Sequence[int], now: datetime) -> list[Low]:
    """Write down the alarms that are due: low, and not told within three days; a message to whoever pays goes with each."""
    due = [one for one, told in await _low(tx, projects, now) if told is None or now - told >= AGAIN]
    for one in due:
        await store.add_alarm(tx, one.wallet, one.reason, now)
        await _tell(tx, one, now)
        told = {"wallet": one.wallet.id, "project_id": one.wallet.project_id, "balance_fen": one.wallet.balance_fen}
        await tx.notify("wallet_low", told)
    return due


async def _tell(tx: Tx, found: Low, now: datetime) -> None:
    """Queue the message; a room that nobody pays for gets none."""
    wallet = found.wallet
    payer_id = wallet.owner_id
    if wallet.room_id is not None:
        payer_id = (await estate.get_room(tx, wallet.project_id, wallet.room_id)).payer_id
    if payer_id is None:
        return
    phones = (await estate.contacts(tx, [payer_id], "sms")).get(payer_id, [])
    await notices.queue(
        tx,
        company_id=(await estate.get_project(tx, wallet.project_id)).company_id,
        project_id=wallet.project_id,
        kind=KIND,
        to=notices.To(await estate.owner_name(tx, payer_id), next(iter(phones), ""), owner_id=payer_id),
        text=await _text(tx, wallet),
        channel="sms",
        subject=f"wallet:{wallet.id}",
        money=True,
        not_before=now,
        key=f"{KIND}:{wallet.id}:{business_date(now)}",
        reason="低于设定的余额" if found.reason == "limit" else "按平均用量不够用了",
        computed=_computed(found),
    )


async def still_low(tx: Tx, message: notices.Message, now: datetime) -> notices.Verdict:
    """Asked in the moment before it goes (W-03): whoever filled the wallet meanwhile hears nothing."""
    wallet = await store.by_id(tx, int(message.subject.partition(":")[2]))
    found = [] if wallet is None else await _low(tx, [wallet.project_id], now, wallet.id)
    if not found:
        return notices.Verdict(None, "已经充值，余额够了")
    low_now = found[0][0]
    return notices.Verdict(await _text(tx, low_now.wallet), "", _computed(low_now))


async def _text(tx: Tx, wallet: Wallet) -> str:
    project = await estate.get_project(tx, wallet.project_id)
    place = ""
    if wallet.room_id is not None:
        place = f"{(await estate.get_room(tx, wallet.project_id, wallet.room_id)).code} "
    left = f"{wallet.name}只剩 {yuan(wallet.balance_fen)} 元"
    return f"【{project.name}】{place}{left}，请及时充值，以免欠费。已充值请忽略。"


def _computed(found: Low) -> tuple[str, ...]:
    wallet = found.wallet
    held = f"余额 {yuan(wallet.balance_fen)} 元"
    if found.reason == "limit":
        assert wallet.low_fen is not None
        return (f"{held}，低于设定的 {yuan(wallet.low_fen)} 元",)
    return (f"近 90 天平均每天用 {yuan(found.daily_fen)} 元", f"{held}，不够 {found.days} 天")


async def average_use(tx: Tx, wallet: Wallet, now: datetime) -> Fen:
    """Fen a day, over the last 90 days or since the first deduction."""
    rows = await store.use(tx, [wallet.project_id], now - WINDOW, wallet.id)
    return _daily(rows[0], now) if rows else 0


async def _low(tx: Tx, projects: Sequence[int], now: datetime, wallet_id: int | None = None) -> list[tuple[Low, datetime | None]]:
    found = []
    for row in await store.use(tx, projects, now - WINDOW, wallet_id):
        daily = _daily(row, now)
        wallet = Wallet(**{name: row[name] for name in Wallet.__dataclass_fields__})
        if wallet.low_fen is not None and wallet.balance_fen < wallet.low_fen:
            found.append((Low(wallet, "limit", daily, row["low_days"]), row["alarmed_at"]))
        elif daily and wallet.balance_fen < daily * row["low_days"]:
            found.append((Low(wallet, "days", daily, row["low_days"]), row["alarmed_at"]))
    return found


def _daily(row: Mapping[str, Any], now: datetime) -> Fen:
    """Rounded up, so that a wallet alarms rather too early; a first deduction of today counts as a month's."""
    if row["used_fen"] <= 0 or row["first_at"] is None:
        return 0
    days = max((business_date(now) - business_date(row["first_at"])).days, 30)
    return -(-int(row["used_fen"]) // min(days, WINDOW.days))
