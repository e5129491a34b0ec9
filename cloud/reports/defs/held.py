"""预存余额、押金台账 (R-07, R-08)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from cloud.reports.domain_report import Flow, Report
from cloud.shared.tables import Column

WALLETS = Flow(
    "kind",
    "amount_fen",
    (
        ("top_up", "充值", ("top_up",), ()),
        ("deduct", "抵扣", ("deduct",), ()),
        ("refund", "退款", ("refund",), ()),
        ("transfer", "转账", ("transfer",), ()),
        ("adjust", "期初导入", ("adjust",), ()),
        ("reversal", "冲回", ("reversal",), ()),
    ),
    "期初余额",
    "期末余额",
    account="prepayment",
    ledger_sign=-1,
)
DEPOSITS = Flow(
    "kind",
    "amount_fen",
    (
        ("receive", "收取", ("receive",), ()),
        ("deduct", "扣款", ("deduct",), ()),
        ("offset", "抵费", ("offset",), ()),
        ("refund", "退还", ("refund",), ()),
        ("reversal", "冲回", ("reversal",), ()),
    ),
    "期初押金",
    "期末押金",
    account="deposit",
    ledger_sign=-1,
)


def _age(row: Mapping[str, Any], last: date) -> Mapping[str, Any]:
    received = row["received_on"]
    return {"age": (last - received).days if isinstance(received, date) else None}


REPORTS = (
    Report(
        "wallets",
        "R-07",
        "预存余额表",
        "往来",
        "各项目各用途的预存：期初、充了多少、抵了多少、还剩多少",
        "wallets",
        "flow",
        rows=("project", "purpose"),
        flow=WALLETS,
        conditions=("purpose",),
        drill="wallet-moves",
    ),
    Report(
        "wallet-balances",
        "R-07",
        "各户预存余额表",
        "往来",
        "每一户的预存账户还剩多少",
        "wallets",
        "flow",
        rows=("project", "room", "owner", "purpose", "wallet_id"),
        flow=WALLETS,
        conditions=("purpose", "room"),
        drill="wallet-moves",
    ),
    Report(
        "wallet-moves",
        "R-07",
        "预存变动明细表",
        "往来",
        "每个预存账户的每一笔进出",
        "wallets",
        "list",
        columns=("day", "at", "project", "room", "owner", "purpose", "kind", "wallet_id", "by", "amount_fen"),
        conditions=("purpose", "kind", "room", "wallet_id"),
    ),
    Report(
        "deposits",
        "R-08",
        "押金台账",
        "往来",
        "每笔押金收了多少、扣了多少、退了多少、还押着多少、押了几天",
        "deposits",
        "flow",
        rows=("project", "object", "owner", "item_name", "received_on", "deposit_id"),
        flow=DEPOSITS,
        conditions=("item_name", "object"),
        drill="deposit-moves",
        extra=_age,
        extra_columns=(Column("age", "账龄（天）", "number"),),
    ),
    Report(
        "deposits-project",
        "R-08",
        "押金汇总表",
        "往来",
        "各项目各类押金的期初、收、扣、退和期末",
        "deposits",
        "flow",
        rows=("project", "item", "item_name"),
        flow=DEPOSITS,
        conditions=("item_name",),
        drill="deposit-moves",
    ),
    Report(
        "deposit-moves",
        "R-08",
        "押金变动明细表",
        "往来",
        "每笔押金的每一次收、扣、退",
        "deposits",
        "list",
        columns=("day", "at", "project", "object", "owner", "item_name", "kind", "deposit_id", "by", "amount_fen"),
        conditions=("item_name", "kind", "object", "deposit_id"),
    ),
)
