"""收缴率 (R-05): each formula printed with its figures in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cloud.reports import store_report
from cloud.reports.defs.arrears import PAID
from cloud.reports.domain_report import Report, Sheet, asked_for, percent
from cloud.reports.running import Asked, words
from cloud.reports.subjects import CATEGORIES, MOVES
from cloud.shared.db import Tx
from cloud.shared.tables import Column
from protocols.money import Fen, yuan

_OUT = ("deposit", "prepayment", "agency")
COLUMNS = (
    Column("project", "项目"),
    Column("due_fen", "本期应收", "money", total=True),
    Column("got_fen", "收本期", "money", total=True),
    Column("rate", "当期收缴率", "percent"),
    Column("old_fen", "往期欠费", "money", total=True),
    Column("old_got_fen", "收往期", "money", total=True),
    Column("old_rate", "清欠率", "percent"),
    Column("all_rate", "综合收缴率", "percent"),
)


@dataclass(slots=True)
class Rates:
    """Due and got of this period's bills and of older ones. Fen."""

    due: Fen = 0
    got: Fen = 0
    old: Fen = 0
    old_got: Fen = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """A sum of moves: bills of this period count with all that ever happened to them; of older ones what stood open, and what
        of it came in within the days."""
        fen, paid = int(row["principal_fen"]), row["act"] in PAID
        if row["span"] == "now":
            self.due += 0 if paid else fen
            self.got -= fen if paid else 0
        elif row["span"] == "past":
            if row["phase"] == "in" and paid:
                self.old_got -= fen
            else:
                self.old += fen

    def row(self) -> dict[str, Any]:
        return {
            "due_fen": self.due,
            "got_fen": self.got,
            "rate": percent(self.got, self.due),
            "old_fen": self.old,
            "old_got_fen": self.old_got,
            "old_rate": percent(self.old_got, self.old),
            "all_rate": percent(self.got + self.old_got, self.due + self.old),
        }

    def formulas(self) -> list[str]:
        return [
            _formula("当期收缴率 ＝ 收本期 ÷ 本期应收", self.got, self.due),
            _formula("清欠率 ＝ 收往期 ÷ 往期欠费", self.old_got, self.old),
            _formula("综合收缴率 ＝（收本期 ＋ 收往期）÷（本期应收 ＋ 往期欠费）", self.got + self.old_got, self.due + self.old),
        ]


def _formula(text: str, part: Fen, whole: Fen) -> str:
    found = percent(part, whole)
    return f"{text} ＝ {yuan(part)} ÷ {yuan(whole)}" + (f" ＝ {found:.1f}%" if found is not None else "，没有应收，不算")


def summed(rows: Iterable[Mapping[str, Any]]) -> Rates:
    found = Rates()
    for row in rows:
        found.add(row)
    return found


async def make(tx: Tx, asked: Asked) -> Sheet:
    question = asked.question(opening=True)
    keys = [MOVES.get(name) for name in ("project", "category", "held_for_others", "phase", "span", "act")]
    rows = await store_report.grouped(tx, replace(question, first=None), keys, [MOVES.get("principal_fen")])
    if not asked.agency:
        rows = [row for row in rows if row["category"] not in _OUT and not row["held_for_others"]]
    word = words(asked.where, asked.report)
    made, links = [], list[Mapping[str, Mapping[str, str]]]()
    for project in dict.fromkeys(row["project"] for row in rows):
        mine = summed(row for row in rows if row["project"] == project)
        made.append({"project": word("project", project), **mine.row()})
        at = {"project": asked_for(project)}
        out = (
            {}
            if asked.agency
            else {"held_for_others": "False", "category": ",".join(one for one in CATEGORIES if one not in _OUT)}
        )
        links.append(
            {
                "got_fen": {**at, **out, "act": ",".join(PAID), "span": "now", "phase": "all"},
                "old_got_fen": {**at, **out, "act": ",".join(PAID), "span": "past"},
            }
        )
    total = summed(rows)
    sheet = Sheet(COLUMNS, made, total.row(), len(made), "个项目", links=links)
    sheet.notes = [
        *total.formulas(),
        "本期应收：所属期起始日在报表期间内的账单，出账加调整，减取消、优惠、减免、核销；收本期：这些账单至截止日已收的本金（含以前预收的）",
        "往期欠费：所属期在以前的账单，期初欠的加本期补出的；收往期：其中报表期间内收回的",
        "分子分母都含代收代付" if asked.agency else "分子分母都不含押金、代收代付、预收；要含代收代付，选“含代收”",
    ]
    return sheet


REPORTS = (
    Report(
        "rates",
        "R-05",
        "收缴率表",
        "收费",
        "本期该收的收了几成、往期欠的清了几成，公式写在下面",
        "moves",
        "made",
        make=make,
        conditions=("item_name", "category"),
        drill="moves",
    ),
)
