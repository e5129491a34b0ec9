"""Rules about money given away: waivers, approvals kept below a limit, refunds, deposits (G-05, G-06, G-07, W-06)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cloud.controls import store_money as store
from cloud.controls.domain import Evidence, Finding, Step, masked_name
from cloud.controls.limits import Look
from cloud.shared.words import TENDERS
from protocols.money import yuan
from protocols.time import business_date, civil

YEAR = timedelta(days=365)
MONTH = timedelta(days=30)
WEEK = timedelta(days=7)


async def waivers_of_owner(look: Look) -> list[Finding]:
    """G-05, weekly: what one owner was let off in twelve months."""
    found = []
    for row in await store.waived_by_owner(look.tx, look.now - YEAR, look.now):
        most = await look.limit("waiver_owner_fen", row["company_id"])
        if row["fen"] <= most:
            continue
        why = (
            f"同一业主 12 个月内减免 {row['n']} 次，合计 {yuan(row['fen'])}，超过 {yuan(most)}：{'；'.join(row['titles'][:3])}。"
        )
        place = row["company_id"], row["project_id"]
        cause = f"{row['company_id']}:{row['beneficiary']}:{_quarter(look.now)}"
        found.append(_waived(cause, place, row["beneficiary"], "同一业主减免偏多", why, row, _people(*row["people"])))
    return found


async def waivers_of_approver(look: Look) -> list[Finding]:
    """G-05, weekly: what one person approved in twelve months."""
    found = []
    for row in await store.waived_by_approver(look.tx, look.now - YEAR, look.now):
        most = await look.limit("waiver_approver_fen", row["company_id"])
        if row["fen"] <= most:
            continue
        why = f"{row['decided_name']} 12 个月内批准减免 {row['n']} 次，合计 {yuan(row['fen'])}，超过 {yuan(most)}。"
        cause = f"{row['company_id']}:{row['decided_number']}:{_quarter(look.now)}"
        place = row["company_id"], row["project_id"]
        subject = f"user:{row['decided_number']}"
        found.append(_waived(cause, place, subject, "同一审批人减免偏多", why, row, _people(row["decided_number"])))
    return found


async def waivers_of_phone(look: Look) -> list[Finding]:
    """G-05, weekly: several owners with one phone, or the phone of a person of the house."""
    found = []
    for row in await store.waived_by_phone(look.tx, look.now - YEAR, look.now):
        most = await look.limit("waiver_phone_fen", row["company_id"])
        if row["fen"] <= most and not row["staff"]:
            continue
        whose = f"，这个电话是员工 {row['staff']} 的" if row["staff"] else ""
        why = f"{row['owners']} 户留同一个电话，12 个月内减免 {row['n']} 次，合计 {yuan(row['fen'])}{whose}。"
        cause = f"{row['company_id']}:{row['phone'][:24]}:{_quarter(look.now)}"
        place = row["company_id"], row["project_id"]
        people = _people(*row["people"], row["staff"])
        found.append(_waived(cause, place, "phone", "减免集中在同一电话", why, row, people))
    return found


async def near_limit(look: Look) -> list[Finding]:
    """G-05, weekly: one person approves again and again just under a limit."""
    groups: dict[tuple[int, str, str], list[Mapping[str, Any]]] = {}
    for row in await store.near_limits(look.tx, look.now - MONTH, look.now):
        percent = await look.limit("near_limit_percent", row["company_id"])
        if row["cumulated_fen"] * 100 >= row["limit_fen"] * (100 - percent):
            groups.setdefault((row["company_id"], row["decided_number"], row["kind"]), []).append(row)
    found = []
    for (company, number, kind), rows in groups.items():
        if len(rows) < await look.limit("near_limit_count", company):
            continue
        least, most = min(one["amount_fen"] for one in rows), max(one["amount_fen"] for one in rows)
        name, limit = rows[-1]["kind_name"], rows[-1]["limit_fen"]
        who = rows[-1]["decided_name"]
        why = f"{who} 30 天内批准 {len(rows)} 次{name}，每次 {yuan(least)} 至 {yuan(most)}，限额 {yuan(limit)}。"
        steps = [Step(one["decided_at"], f"批准 {yuan(one['amount_fen'])}", one["title"], True) for one in rows[-8:]]
        evidence = [
            Evidence(one["title"], f"/audit?object=approval:{one['approval_id']}", "", one["amount_fen"]) for one in rows[-8:]
        ]
        found.append(
            Finding(
                f"{company}:{number}:{kind}:{business_date(look.now)}", company, rows[-1]["project_id"], f"user:{number}",
                f"{name}连续接近审批限额", why, rows[-1]["decided_at"],
                _people(number, *(one["requester_number"] for one in rows)), "",
                sum(one["amount_fen"] for one in rows), {"count": len(rows), "limit_fen": limit}, steps, evidence,
            )
        )  # fmt: skip
    return found


async def waivers_of_project(look: Look) -> list[Finding]:
    """W-06, each morning: a project gave off more in a week than its takings explain."""
    found = []
    for row in await store.waived_and_taken(look.tx, look.now - WEEK, look.now):
        percent = await look.limit("waiver_week_percent", row["company_id"])
        if row["fen"] < await look.limit("waiver_week_fen", row["company_id"]) or row["fen"] * 100 <= row["taken_fen"] * percent:
            continue
        why = f"近 7 天减免 {row['n']} 次共 {yuan(row['fen'])}，同期收款 {yuan(row['taken_fen'])}，超过 {percent}%。"
        year, week, _ = business_date(look.now).isocalendar()
        place = row["company_id"], row["project_id"]
        cause = f"{row['project_id']}:{year}-{week}"
        found.append(_waived(cause, place, f"project:{row['project_id']}", "减免偏多", why, row, _people(*row["people"])))
    return found


def _waived(
    cause: str, place: tuple[int, int], subject: str, title: str, why: str, row: Mapping[str, Any], people: tuple[str, ...]
) -> Finding:
    return Finding(
        f"waiver:{cause}", place[0], place[1], subject, title, why, row["at"], people, "", row["fen"], {"count": row["n"]},
        [Step(row["at"], "最近一次减免", "", True)],
        [Evidence("减免的审批日志", f"/audit?at=p{place[1]}&action=approval.approve", f"{row['n']} 次", row["fen"])],
    )  # fmt: skip


def _quarter(at: datetime) -> str:
    """A year's sum alarms once a quarter, not every week of it."""
    day = civil(at)
    return f"{day.year}Q{(day.month - 1) // 3 + 1}"


async def refund_payee(look: Look) -> list[Finding]:
    """G-06: the money goes to somebody else than who paid."""
    return [
        _refund(row, "退款收款人不是缴款人", f"缴款人 {masked_name(row['payer_name'])}，退给 {masked_name(row['payee_name'])}")
        for row in await store.refunds(look.tx, look.since)
        if not row["same_name"] and row["payer_name"]
    ]


async def refund_staff(look: Look) -> list[Finding]:
    """G-06: the payee has the name of a person of the house."""
    return [
        _refund(row, "退款给了本公司的人", f"收款人与员工 {row['staff']} 同名", row["staff"])
        for row in await store.refunds(look.tx, look.since)
        if row["staff"]
    ]


async def refund_account(look: Look) -> list[Finding]:
    """G-06: one account gets refunds of several owners."""
    return [
        _refund(row, "一个账号收多户退款", f"收款账号已收过 {row['owners']} 位缴款人的退款（尾号 {row['payee_account'][-4:]}）")
        for row in await store.refunds(look.tx, look.since)
        if row["owners"] > 1
    ]


async def refund_route(look: Look) -> list[Finding]:
    """G-06: paid through a provider, given back another way."""
    found = []
    for row in await store.refunds(look.tx, look.since):
        if row["online"] and row["way"] != "original":
            ways = "、".join(TENDERS.get(one, one) for one in row["online"].split(","))
            found.append(_refund(row, "没有原路退款", f"收款时是{ways}，退款走{'现金' if row['way'] == 'cash' else '转账'}"))
    return found


async def refund_dormant(look: Look) -> list[Finding]:
    """G-06: a wallet that nobody touched for a year is emptied."""
    found = []
    for row in await store.refunds(look.tx, look.since):
        if row["touched_at"] is None:
            continue
        months = await look.limit("dormant_months", row["company_id"])
        if row["approved_at"] - row["touched_at"] >= timedelta(days=months * 365 // 12):
            found.append(_refund(row, "久不动的预存被退", f"这笔预存上次动是 {civil(row['touched_at']):%Y-%m-%d}"))
    return found


def _refund(row: Mapping[str, Any], title: str, why: str, *more: str) -> Finding:
    steps = [Step(row["approved_at"], "批准退款，等付款", row["decided_name"] or "", True)]
    if row["requested_at"] is not None:
        steps.insert(0, Step(row["requested_at"], "申请退款", f"{row['requester_name']} · {row['terminal']}"))
    subject = row["subject"]
    kind, _, number = subject.partition(":")
    page = {"receipt": f"/receipts/{number}", "deposit": f"/deposits/{number}", "wallet": f"/wallets/{number}"}[kind]
    evidence = [
        Evidence("退款", f"/refunds/{row['id']}", masked_name(row["payee_name"]), row["amount_fen"]),
        Evidence({"receipt": "原收据", "deposit": "押金", "wallet": "预存"}[kind], page),
    ]
    if row["approval_id"] is not None:
        evidence.append(Evidence("审批记录", f"/audit?object=approval:{row['approval_id']}"))
    return Finding(
        f"refund:{row['id']}", row["company_id"], row["project_id"], f"refund:{row['id']}", title,
        f"{why}。金额 {yuan(row['amount_fen'])}，{'已付' if row['state'] == 'paid' else '还没付出'}。",
        row["approved_at"], _people(row["requester_number"], row["decided_number"], *more), row["terminal"] or "",
        row["amount_fen"], {"way": row["way"], "state": row["state"]}, steps, evidence,
    )  # fmt: skip


async def deposit_deducted(look: Look) -> list[Finding]:
    """G-07: a deposit is kept back without dated photos or without the owner's word."""
    found = []
    for row in await store.deductions(look.tx, look.since):
        missing = "、".join(
            word for word, there in (("验房照片", row["photos"] > 0), ("业主签字", row["acknowledged"])) if not there
        )
        steps = [Step(row["at"], f"扣押金 {yuan(-row['amount_fen'])}，没有{missing}", row["decided_name"] or "", True)]
        if row["requested_at"] is not None:
            steps.insert(0, Step(row["requested_at"], "申请扣款", f"{row['requester_name']} · {row['terminal']}"))
        evidence = [
            Evidence("押金", f"/deposits/{row['deposit_id']}", f"{row['object']} · {row['item_name']}", -row["amount_fen"])
        ]
        if row["approval_id"] is not None:
            evidence.append(Evidence("审批记录", f"/audit?object=approval:{row['approval_id']}"))
        found.append(
            Finding(
                f"deposit:{row['movement_id']}", row["company_id"], row["project_id"], f"deposit:{row['deposit_id']}",
                "扣押金缺依据", f"{row['object']} 的{row['item_name']}被扣 {yuan(-row['amount_fen'])}，没有{missing}。",
                row["at"],
                _people(row["requester_number"], row["decided_number"], row["by"]), row["terminal"] or "", -row["amount_fen"],
                {"photos": row["photos"], "acknowledged": row["acknowledged"]}, steps, evidence,
            )
        )  # fmt: skip
    return found


async def deposits_old(look: Look) -> list[Finding]:
    """G-07, monthly: deposits that nobody asked back for years."""
    found = []
    for row in await store.old_deposits(look.tx, look.now - YEAR * await look.limit("deposit_years")):
        years = await look.limit("deposit_years", row["company_id"])
        why = f"{row['n']} 笔押金留存超过 {years} 年，合计 {yuan(row['fen'])}，最早 {civil(row['oldest']):%Y-%m-%d}。"
        found.append(
            Finding(
                f"deposits:{row['project_id']}:{business_date(look.now):%Y-%m}", row["company_id"], row["project_id"],
                f"project:{row['project_id']}", "押金久未退还", why, look.now, (), "", row["fen"], {"count": row["n"]},
                [Step(row["oldest"], "最早一笔收下", "")],
                [Evidence("押金", f"/deposits?at=p{row['project_id']}", f"{row['n']} 笔", row["fen"])],
            )
        )  # fmt: skip
    return found


def _people(*numbers: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in numbers if one and one != "system"))
