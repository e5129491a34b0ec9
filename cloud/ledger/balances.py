"""Balances as of any business date (A-01, V-09): asked of the sums by day, which come from the postings and are checked by them.

An account is named by its code with everything under it: 'prepayment' counts all purposes, 'prepayment:water' one, '' everything.
Debit is positive: cash and what is owed to us are above 0; prepayments, deposits and income below. Projects: ids, or None for all
in scope. Entries count on their business date, whenever the hub learned of them, so an answer about a past day can change when a
box's late event or an approved late entry arrives; `Balance.late` says how much of it came after that day was over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from cloud.ledger import store_balances as store
from cloud.shared.db import Tx
from protocols.money import Fen
from protocols.time import SHANGHAI


@dataclass(frozen=True, slots=True)
class Late:
    """Entries that arrived after a moment, and what they add to the account."""

    entries: int
    fen: Fen


@dataclass(frozen=True, slots=True)
class Balance:
    """What stood on an account at the end of a day, and how much of that the hub learned of only later."""

    fen: Fen
    as_of: date
    late: Late


@dataclass(frozen=True, slots=True)
class RefBalance:
    """What stands on an account for one reference ('line:17', 'wallet:5'); never 0."""

    project_id: int
    account: str
    ref: str | None
    fen: Fen


@dataclass(frozen=True, slots=True)
class Movement:
    """What an account moved by on one day."""

    project_id: int
    day: date
    account: str
    debit_fen: Fen
    credit_fen: Fen


async def balance(tx: Tx, project_ids: Sequence[int] | None, account: str, as_of: date) -> Balance:
    """One account (with all under it) of these projects together."""
    fen = sum((await balances(tx, project_ids, account, as_of)).values())
    over = datetime.combine(as_of + timedelta(days=1), time.min, SHANGHAI)
    return Balance(fen, as_of, await arrived_since(tx, project_ids, account, as_of, over))


async def balances(tx: Tx, project_ids: Sequence[int] | None, account: str, as_of: date) -> dict[str, Fen]:
    """account code -> balance; with account '' the trial balance, whose sum is 0."""
    return {row["account"]: row["fen"] for row in await store.by_account(tx, project_ids, account, as_of)}


async def balances_by_project(tx: Tx, project_ids: Sequence[int] | None, account: str, as_of: date) -> dict[int, Fen]:
    """project id -> balance of one account with all under it."""
    return {row["project_id"]: row["fen"] for row in await store.by_project(tx, project_ids, account, as_of)}


async def balances_by_ref(
    tx: Tx, project_ids: Sequence[int] | None, account: str, as_of: date, *, ref: str = ""
) -> list[RefBalance]:
    """Whose an account's balance is, references at 0 left out. `ref`: one ('wallet:5'), all of a kind ('shift:'), or all."""
    return [RefBalance(**row) for row in await store.by_ref(tx, project_ids, account, ref, as_of)]


async def movements(tx: Tx, project_ids: Sequence[int] | None, account: str, first: date, last: date) -> list[Movement]:
    """Debits and credits by day and account, both days included, oldest first."""
    return [Movement(**row) for row in await store.movements(tx, project_ids, account, first, last)]


async def arrived_since(tx: Tx, project_ids: Sequence[int] | None, account: str, as_of: date, since: datetime) -> Late:
    """What changed an answer about `as_of` given at `since`: entries dated through that day that arrived at or after it, on a
    later day than their own (A-01).
    """
    return Late(*await store.late(tx, project_ids, account, as_of, since))


async def rebuild(tx: Tx) -> int:
    """Make the sums by day of everything in scope anew from the postings; how many there are. Locks the chains meanwhile."""
    return await store.rebuild(tx)
