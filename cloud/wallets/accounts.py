"""Wallets, movements, deposits and refunds as values. Amounts in fen; a movement's amount is positive when money comes in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from protocols.money import Fen

PURPOSES = {
    "general": "通用",
    "property": "物业费",
    "water": "水费",
    "electricity": "电费",
    "heating": "采暖费",
    "parking": "停车费",
}
KINDS = {"top_up": "充值", "deduct": "扣费", "refund": "退款", "transfer": "转户", "adjust": "调整", "reversal": "冲回"}
DEPOSIT_KINDS = {"receive": "收取", "deduct": "扣款", "offset": "抵费", "refund": "退还", "transfer": "转户", "reversal": "冲回"}
WAYS = {"transfer": "转账", "cash": "现金", "original": "原路退回"}

Kind = Literal["top_up", "deduct", "refund", "transfer", "adjust"]
Way = Literal["cash", "transfer", "original"]


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet of a room or of an owner for one purpose (V-01). `low_fen`: warn below it (V-04), None without a limit."""

    id: int
    project_id: int
    room_id: int | None
    owner_id: int | None
    purpose: str
    balance_fen: Fen
    low_fen: Fen | None
    auto_deduct: bool

    @property
    def name(self) -> str:
        """'水费预存'."""
        return f"{PURPOSES[self.purpose]}预存"


@dataclass(frozen=True, slots=True)
class Movement:
    """What came into a wallet or went out. `source` names the ledger entry; `entry_id`, `entry_seq`: that entry."""

    id: int
    wallet_id: int
    kind: str
    amount_fen: Fen
    balance_fen: Fen
    source: str
    line_id: int | None
    reverses: int | None
    at: datetime
    by: str
    entry_id: int | None = None
    entry_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Low:
    """A wallet that runs out: below its limit ('limit'), or with less than `days` of average use ('days', V-04)."""

    wallet: Wallet
    reason: Literal["limit", "days"]
    daily_fen: Fen
    days: int = 7


@dataclass(frozen=True, slots=True)
class Deposit:
    """A deposit (F-11). `source` is that of the entry by which it was received; `held` while anything of it is left."""

    id: int
    project_id: int
    item: str
    item_name: str
    room_id: int | None
    object: str
    payer_id: int | None
    purpose: str
    condition: str
    amount_fen: Fen
    balance_fen: Fen
    source: str
    received_at: datetime
    received_by: str
    inspected: bool
    state: str

    @property
    def no(self) -> str:
        """As printed: 'YJ000012'."""
        return f"YJ{self.id:06d}"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What somebody saw (验房, 验收). `photos`: SHA-256 of the files; the owner's acknowledgment where there is one (G-07)."""

    id: int
    deposit_id: int
    on_day: date
    passed: bool
    notes: str
    photos: tuple[str, ...]
    acknowledged_by: str | None
    acknowledged_on: date | None
    at: datetime
    by: str
    by_name: str


@dataclass(frozen=True, slots=True)
class DepositMovement:
    """What came into a deposit or went out; a deduction names the charge line it settled."""

    id: int
    deposit_id: int
    kind: str
    amount_fen: Fen
    balance_fen: Fen
    source: str
    line_id: int | None
    inspection_id: int | None
    reverses: int | None
    reason: str
    at: datetime
    by: str
    entry_id: int | None = None
    entry_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that goes back: approved (owed to the payee) or paid. `subject`: 'wallet:5', 'deposit:9'."""

    id: int
    project_id: int
    subject: str
    approval_id: int
    amount_fen: Fen
    way: str
    payee_name: str
    payee_account: str
    payer_name: str
    reason: str
    requested_by: int
    approved_by: int
    approved_at: datetime
    state: str
    paid_by: int | None
    paid_by_name: str | None
    paid_at: datetime | None
    paid_reference: str | None

    @property
    def ref(self) -> str:
        return f"refund:{self.id}"
