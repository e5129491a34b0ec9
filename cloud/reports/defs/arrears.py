"""应收实收欠费 (R-04): what stood open, what was billed and taken off, what came in, what stands open; with its lines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from cloud.reports.domain_report import Flow, Report
from cloud.shared.tables import Column

PAID = ("collected", "deducted", "offset", "refunded")
FLOW = Flow(
    "act",
    "principal_fen",
    (
        ("billed", "本期出账", ("billed", "opened"), ()),
        ("adjusted", "调整", ("adjusted",), ()),
        ("cancelled", "取消", ("cancelled",), ()),
        ("discount", "优惠", ("discount",), ()),
        ("waiver", "减免", ("waiver",), ()),
        ("bad_debt", "核销", ("bad_debt",), ()),
        ("now", "收本期", PAID, ("now",)),
        ("past", "收往期", PAID, ("past",)),
        ("ahead", "预收", PAID, ("ahead",)),
        ("moved", "过户", ("moved",), ()),
    ),
    "期初欠费",
    "期末欠费",
    account="receivable",
)
_NOTES = (
    "本金，不含违约金：违约金收到时才入账，见“违约金收入”。收款含预存抵扣和押金抵扣，减去退款恢复",
    "本期、往期、预收按账单所属期的起始日：在报表期间内、以前、以后",
)
_LISTED = ("item_name", "category", "held_for_others", "act", "span", "object", "line_id", "phase")


def _overdue(row: Mapping[str, Any], last: date) -> Mapping[str, Any]:
    due = row["due_date"]
    return {"overdue": max((last - due).days, 0) if isinstance(due, date) else None}


REPORTS = (
    Report(
        "arrears",
        "R-04",
        "应收实收欠费表",
        "收费",
        "期初欠多少、出了多少账、减了多少、收了多少、还欠多少，逐项相加对得上",
        "moves",
        "flow",
        rows=("project", "item", "item_name"),
        flow=FLOW,
        conditions=("item_name", "category", "held_for_others"),
        drill="moves",
        notes=_NOTES,
    ),
    Report(
        "arrears-rooms",
        "R-04",
        "各户应收实收欠费表",
        "收费",
        "每一户的期初、出账、收款和期末欠费",
        "moves",
        "flow",
        rows=("project", "object", "item", "item_name"),
        flow=FLOW,
        conditions=("item_name", "category", "object"),
        drill="moves",
        notes=_NOTES,
    ),
    Report(
        "open-lines",
        "R-04",
        "欠费账单表",
        "收费",
        "某一天哪些账单还欠着、各欠多少、逾期几天",
        "moves",
        "flow",
        rows=("project", "object", "item", "item_name", "line_id", "period_from", "due_date"),
        flow=Flow("act", "principal_fen", (), "期初", "欠费", account="receivable"),
        open_only=True,
        as_of=True,
        conditions=("item_name", "category", "object"),
        drill="moves",
        notes=_NOTES[:1],
        extra=_overdue,
        extra_columns=(Column("overdue", "逾期天数", "number"),),
    ),
    Report(
        "moves",
        "R-04",
        "应收变动明细表",
        "收费",
        "每张账单的出账、调整、减免、收款，一笔一行",
        "moves",
        "list",
        columns=(
            "day",
            "project",
            "object",
            "item_name",
            "period_from",
            "period_to",
            "line_id",
            "act",
            "source",
            "relating_to",
            "late_fee_fen",
            "principal_fen",
        ),
        conditions=_LISTED,
    ),
    Report(
        "late-fees",
        "R-04",
        "违约金收入表",
        "收费",
        "各项目收了多少违约金、减免了多少",
        "moves",
        "table",
        rows=("project", "item", "item_name"),
        across="act",
        values=("late_fee_fen",),
        grain="month",
        fixed={"act": ("collected", "deducted", "offset", "refunded", "waiver")},
        conditions=("item_name",),
        drill="moves",
        notes=("收到的违约金在应收变动里是负数：欠费减少的方向",),
    ),
)
