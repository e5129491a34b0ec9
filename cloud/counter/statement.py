"""A bank's statement as CSV or spreadsheet: which column is what is told, each row becomes money that came in (C-36)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cloud.counter import bank_files
from cloud.counter.bank_files import day_of, fen_of, text_of
from protocols.errors import Refused
from protocols.money import Fen


@dataclass(frozen=True, slots=True)
class Columns:
    """The heads of the columns as the bank writes them; `kind` and `payer` are read where the file has them."""

    date: str = "交易日期"
    amount: str = "收入金额"
    remark: str = "摘要"
    serial: str = "流水号"
    kind: str = "交易类型"
    payer: str = "对方户名"


@dataclass(frozen=True, slots=True)
class Line:
    """Money that came in. `serial` is the bank's own number of it; `told` the bank's word for it, `payer` who sent it."""

    day: date
    amount_fen: Fen
    remark: str
    serial: str
    told: str = ""
    payer: str = ""


def read(content: bytes, columns: Columns) -> list[Line]:
    """Rows with money that came in; empty and outgoing amounts are left out. Refused as `bank_files.read`."""
    wanted = (columns.date, columns.amount, columns.remark, columns.serial)
    return bank_files.read(content, wanted, (columns.kind, columns.payer), _line, by="按月")


def _line(cells: Sequence[object]) -> Line | None:
    amount = fen_of(cells[1])
    if amount <= 0:
        return None
    serial = str(cells[3] or "").strip()
    if not serial or len(serial) > 60 or not serial.isprintable():
        raise Refused("bad_serial", "没有流水号", "no serial")
    remark, told, payer = (text_of(cell) for cell in (cells[2], cells[4], cells[5]))
    return Line(day_of(cells[0]), amount, remark[:200], serial, told[:60], payer[:100])
