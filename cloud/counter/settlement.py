"""An acquirer's settlement file: which column is what is told; each row a card payment, its fee and batch; refunds < 0 (C-16)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date

from cloud.counter.statement import LONGEST_BYTES, MOST_ROWS, day_of, fen_of, places, rows_of, text_of
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
    """Every row; a bad one refuses the file. Refused `bad_file`, `no_column`, `bad_rows` (names them), `too_large`, `empty`."""
    if len(content) > LONGEST_BYTES:
        raise Refused("too_large", "文件太大，请按天导出", "the file is too large", field="file")
    rows = rows_of(content)
    names = astuple(columns)
    found_at = places(rows, names[:5], names[5:])
    found: list[SettlementRow] = []
    seen: Counter[str] = Counter()
    bad: list[str] = []
    for number, row in enumerate(rows, 2):
        if number > MOST_ROWS:
            raise Refused("too_large", f"最多 {MOST_ROWS} 行，请按天导出", "too many rows", field="file")
        if not any(str(cell or "").strip() for cell in row):
            continue
        try:
            line = _row(row, found_at, seen)
        except Refused as problem:
            bad.append(f"第 {number} 行：{problem.zh}")
            continue
        if line is not None:
            found.append(line)
    if bad:
        zh = "；".join(bad[:5]) + ("…" if len(bad) > 5 else "")
        raise Refused("bad_rows", zh, f"{len(bad)} bad rows", field="file", rows=bad[:50])
    if not found:
        raise Refused("empty", "文件里没有交易", "no payments in the file", field="file")
    return found


def _row(row: Sequence[object], found_at: Sequence[int | None], seen: Counter[str]) -> SettlementRow | None:
    cells = [row[place] if place is not None and place < len(row) else None for place in found_at]
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
