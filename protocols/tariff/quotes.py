"""The answer: an amount with the rows that explain it, in one canonical JSON form (K-21, N-05)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from protocols.money import Fen, yuan
from protocols.time import iso, parse_instant

RowKind = Literal["free", "coupon", "piece", "cap", "max", "pass", "prepaid", "round", "note", "total"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the explanation. `fen` None: the row moves no money. Pieces of time carry their clock times."""

    kind: RowKind
    title: str
    how: str
    fen: Fen | None = None
    clock: str = ""
    start: datetime | None = None
    end: datetime | None = None

    def __str__(self) -> str:
        head = f"{self.title} {self.clock}".rstrip()
        return f"{head}：{self.how}" if self.fen is None else f"{head}：{self.how}，计 {yuan(self.fen)}"


@dataclass(frozen=True, slots=True)
class CouponUse:
    """What one coupon took off, for the merchant's settlement (K-23)."""

    kind: str
    ref: str
    off_fen: Fen


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a stay.

    fee_fen     what the stay costs in all, prepayments included
    due_fen     what is still to be paid at this exit; `expect.extra_fen` of a prepaid stay
    paid_fen    what was paid before; fee_fen = paid_fen + due_fen
    gross_fen   what it would cost without coupons
    minutes     charged minutes (Q-70); `dropped_s` are the seconds beyond
    table       the vehicle class whose table was used; None where one table serves all
    review      named reasons why somebody must look: `unknown_class`, `clock_ahead`

    The rows' amounts before the last (总计) sum to due_fen.
    """

    tariff: str
    version: int
    table: str | None
    entry: datetime
    exit: datetime
    minutes: int
    dropped_s: int
    fee_fen: Fen
    due_fen: Fen
    paid_fen: Fen
    gross_fen: Fen
    rows: tuple[Row, ...]
    coupons: tuple[CouponUse, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The tariff version used, e.g. 'casual-2026@3'."""
        return f"{self.tariff}@{self.version}"

    @property
    def review(self) -> bool:
        return bool(self.reasons)

    @property
    def lines(self) -> tuple[str, ...]:
        """The explanation as plain Chinese text, to show, print and copy."""
        return tuple(str(row) for row in self.rows)

    @property
    def pieces(self) -> tuple[Row, ...]:
        """The rows that price a span of clock time, in order."""
        return tuple(row for row in self.rows if row.kind == "piece")

    def to_json(self) -> bytes:
        """Canonical UTF-8 JSON: sorted keys, no blanks, instants by `protocols.time.iso`. The same stay gives the same bytes."""
        document = {
            "tariff": self.tariff,
            "version": self.version,
            "table": self.table,
            "entry": iso(self.entry),
            "exit": iso(self.exit),
            "minutes": self.minutes,
            "dropped_s": self.dropped_s,
            "fee_fen": self.fee_fen,
            "due_fen": self.due_fen,
            "paid_fen": self.paid_fen,
            "gross_fen": self.gross_fen,
            "rows": [_row_document(row) for row in self.rows],
            "lines": self.lines,
            "coupons": [{"kind": use.kind, "ref": use.ref, "off_fen": use.off_fen} for use in self.coupons],
            "review": self.review,
            "reasons": self.reasons,
        }
        return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, body: bytes | str) -> Quote:
        """The inverse of `to_json`, for quotes this project wrote itself."""
        read: dict[str, Any] = json.loads(body)
        return cls(
            tariff=read["tariff"],
            version=read["version"],
            table=read["table"],
            entry=parse_instant(read["entry"], field="entry"),
            exit=parse_instant(read["exit"], field="exit"),
            minutes=read["minutes"],
            dropped_s=read["dropped_s"],
            fee_fen=read["fee_fen"],
            due_fen=read["due_fen"],
            paid_fen=read["paid_fen"],
            gross_fen=read["gross_fen"],
            rows=tuple(_read_row(row) for row in read["rows"]),
            coupons=tuple(CouponUse(**use) for use in read["coupons"]),
            reasons=tuple(read["reasons"]),
        )


def _row_document(row: Row) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": row.kind, "title": row.title, "how": row.how, "fen": row.fen, "clock": row.clock}
    if row.start is not None and row.end is not None:
        document |= {"start": iso(row.start), "end": iso(row.end)}
    return document


def _read_row(document: dict[str, Any]) -> Row:
    times = {name: parse_instant(document[name], field=name) for name in ("start", "end") if name in document}
    return Row(document["kind"], document["title"], document["how"], document["fen"], document["clock"], **times)
