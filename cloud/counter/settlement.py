"""An acquirer's settlement file: which column is what is told; each row a card payment, its fee and batch; refunds < 0 (C-16)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date

from cloud.counter import bank_files
from cloud.counter.bank_files import day_of, fen_of, text_of
from protocols.errors import Refused
from protocols.money import Fen


@dataclass(frozen=True, slots=True)
class SettlementColumns:
    """The heads of the columns as the acquirer writes them; `terminal`, `serial` and `kind` are read where the file has them."""

    date: str = "交易日期"
    reference: str = "参考号"
    amount: str = "交易金额"
    fee: str = "手续费"
    batch: str = "批次号"
    terminal: str = "终端号"
    serial: str = "流水号"
    kind: str = "交易类型"


@dataclass(frozen=True, slots=True)
class SettlementRow:
    """A card payment (`amount_fen` > 0) or refund (< 0); what reaches the account is `amount_fen - fee_fen`."""

    day: date
    reference: str
    amount_fen: Fen
    fee_fen: Fen
    batch: str
    terminal: str
    serial: str


def read(content: bytes, columns: SettlementColumns) -> list[SettlementRow]:
    """Every row. Refused `empty`, and as `bank_files.read`."""
    names = astuple(columns)
    seen: Counter[str] = Counter()
    found = bank_files.read(content, names[:5], names[5:], lambda cells: _row(cells, seen), by="按天")
    if not found:
        raise Refused("empty", "文件里没有交易", "no payments in the file", field="file")
    return found


def _row(cells: Sequence[object], seen: Counter[str]) -> SettlementRow | None:
    reference, batch, terminal, serial, kind = (text_of(cells[n]) for n in (1, 4, 5, 6, 7))
    if "合计" in text_of(cells[0]) or "总计" in text_of(cells[0]):
        return None
    amount, fee = fen_of(cells[2]), fen_of(cells[3])
    if not amount:
        raise Refused("bad_amount", "交易金额是空的", "no amount")
    if amount > 0 and any(word in kind for word in ("退", "撤销", "冲正")):
        amount, fee = -amount, -abs(fee)
    if not reference or not batch or len(reference) > 60 or len(batch) > 40:
        raise Refused("bad_reference", "要有参考号和批次号", "no reference or batch")
    if abs(fee) >= abs(amount):
        raise Refused("bad_fee", "手续费不该有交易金额那么多", "the fee is as much as the payment")
    day = day_of(cells[0])
    if not serial:
        # Without a serial of the acquirer's own, the same row in another file is the same payment; two in one file are two.
        stem = f"{day}/{batch}/{terminal}/{reference}/{amount}"
        seen[stem] += 1
        serial = f"{stem}/{seen[stem]}"
    return SettlementRow(day, reference, amount, fee, batch, terminal[:40], serial[:160])
