"""A lease that ends before its day: what is given back of bills that reach beyond it, by a second person (F-15, Q-67, Q-68).

Whole periods not started are taken back; the running one by its standard, to the last day (Q-24). What was billed stays, each
difference is an adjustment line; what was paid too much is then the party's credit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from cloud.access.service import Approval, Principal, ask, audit
from cloud.estate import service as estate
from cloud.fees import cases, contracts, repricing, store_contracts, store_standards, store_yearly
from cloud.fees.calculator.rules import Recurring
from cloud.fees.domain_standards import NamedTerm, Version
from cloud.fees.repricing import Changed
from cloud.shared.db import Tx
from protocols.errors import Conflict, Refused
from protocols.money import Fen, yuan
from protocols.time import business_date

END = "contract.end"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Row:
    """A billed line that reaches beyond the last day, and what is left of it."""

    changed: Changed
    object: str
    item: str
    first: date
    last: date
    status: str


async def settlement(tx: Tx, contract: Mapping[str, Any], last_day: date) -> list[Row]:
    """The lines that would be made smaller, locked.

    Refused `bad_days` for a day outside the lease, `drafts_waiting`; Conflict `ended`.
    """
    if contract["ends_day"] is not None:
        raise Conflict("ended", "这份合同已经提前结束", "the lease has ended early", field="last_day")
    end = last_day + DAY
    if not contract["from_day"] <= last_day or end >= contract["to_day"]:
        zh = f"写合同期内的一天：{contract['from_day']} 至 {contract['to_day'] - 2 * DAY}"
        raise Refused("bad_days", zh, "the day is not inside the lease", field="last_day")
    rows = await store_contracts.lines_beyond(tx, contract["id"], end)
    waiting = sum(row["status"] == "draft" for row in rows)
    if waiting:
        zh = f"这份合同还有 {waiting} 笔应收草稿没有发布，先发布或作废那批草稿"
        raise Refused("drafts_waiting", zh, f"{waiting} drafts wait", field="last_day")
    company_id = (await estate.get_project(tx, contract["project_id"])).company_id
    versions = {one.id: one for one in await store_standards.versions(tx, contract["project_id"])}
    terms = {one.id: one for one in await store_standards.terms(tx, company_id)}
    found = []
    for row in rows:
        left = _left(row, end, versions, terms)
        changed = repricing.changed_line(row, left - row["amount_fen"])
        for one in changed:
            last = row["period_to"] - DAY
            found.append(Row(one, row["object"], row["item_name"], row["period_from"], last, row["status"]))
    return found


def _left(row: Mapping[str, Any], end: date, versions: Mapping[int, Version], terms: Mapping[int, NamedTerm]) -> Fen:
    """What of a line's amount is for days before the end."""
    amount: Fen = row["amount_fen"]
    if row["period_from"] >= end:
        return 0
    inputs, version = row["inputs"], versions.get(row["version_id"])
    rules = None if version is None else version.rules
    if inputs is None or inputs["by"] != "plan" or not isinstance(rules, Recurring) or not rules.refund_running:
        return amount
    given, through = cases.from_inputs(inputs, versions, terms)
    ends = end if given.case.ends is None else min(given.case.ends, end)
    shorter = replace(given, case=replace(given.case, ends=ends))
    inside = [one for one in shorter.drafts(through) if row["period_from"] <= one.start and one.to <= row["period_to"]]
    return sum(one.fen for one in inside)


async def ask_end(
    tx: Tx, principal: Principal, contract_id: int, last_day: date, *, reason: str, key: str, terminal: str, now: datetime
) -> Approval:
    """Ask for a lease to end after a day. NotFound `contract_not_found`; as `settlement` and `ask`."""
    contract = await contracts.get(tx, contract_id)
    rows = await settlement(tx, contract, last_day)
    less = repricing.sums([row.changed for row in rows])[1]
    return await ask(
        tx,
        principal,
        kind=END,
        project_id=contract["project_id"],
        subject=f"contract:{contract_id}",
        title=f"提前解约 {contract['number']} {contract['party']}"[:200],
        amount_fen=less,
        payload={
            "contract": contract_id, "last_day": last_day.isoformat(), "digest": repricing.digest([row.changed for row in rows]),
            "page": f"/contracts/{contract_id}/end?last_day={last_day}", "page_label": f"看退减的 {len(rows)} 笔应收",
        },
        before=f"租到 {contract['to_day'] - DAY}，铺面 {contract['shops']}"[:500],
        after=f"租到 {last_day}；退减已出账的 {len(rows)} 笔，共 {yuan(less)} 元；押金另按押金管理退",
        reason=reason,
        key=key,
        terminal=terminal,
        now=now,
        beneficiary=f"owner:{contract['owner_id']}",
    )  # fmt: skip


async def end_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """The approvals' handler: nothing is charged after the last day, and the lines that were seen are adjusted.

    Refused `lines_changed` when they are others by now; as `settlement`.
    """
    contract_id, last_day = approval.payload["contract"], date.fromisoformat(str(approval.payload["last_day"]))
    assert isinstance(contract_id, int)
    await store_standards.lock_assignments(tx, approval.project_id)
    contract = await contracts.get(tx, contract_id)
    found = [row.changed for row in await settlement(tx, contract, last_day)]
    if repricing.digest(found) != approval.payload["digest"]:
        zh = "要退减的应收在等审批时变了，什么都没有执行，请退回后重新送审"
        raise Refused("lines_changed", zh, "the lines are not those that the reviewer saw", field="last_day")
    told = {"approval": approval.id, "by": approval.requester_number, "approved_by": principal.number, "contract": contract_id}
    await repricing.apply(
        tx, contract["project_id"], found, lambda one: _formula(contract["number"], last_day, one), source=f"end:{approval.id}",
        facts_=told, at=now, by=approval.requester_number,
    )  # fmt: skip
    charges = await store_contracts.charges(tx, contract_id)
    for one in charges:
        if one["to_day"] is None or one["to_day"] > last_day + DAY:
            await store_standards.end_assignment(tx, one["id"], last_day + DAY)
    await store_contracts.end(tx, contract_id, last_day + DAY, approval.reason, approval.id)
    await _tell(tx, approval, principal, contract, charges, last_day, now)


def _formula(number: str, last_day: date, one: Changed) -> str:
    return f"合同 {number} 租到 {last_day}：应收 {yuan(one.new_fen)} − 原 {yuan(one.old_fen)}"


async def _tell(
    tx: Tx,
    approval: Approval,
    principal: Principal,
    contract: Mapping[str, Any],
    charges: Sequence[Mapping[str, Any]],
    last_day: date,
    now: datetime,
) -> None:
    """On the log, and before headquarters with the rent that a year loses (G-04)."""
    rent = next((one for one in charges if one["item"] == "rent"), None)
    if rent is not None:
        years, _ = await contracts.rent_table(tx, contract)
        month = next((one.rent_fen for one in years if one.first <= last_day <= one.last), None)
        change = store_yearly.Change(
            "contract", rent["standard_id"], None, [one["object"] for one in charges if one["item"] == "rent"],
            f"租到 {contract['to_day'] - DAY}", f"租到 {last_day}", None, None if month is None else -12 * month, approval.reason,
            approval.requester_number, principal.number, approval.terminal, approval.id, now,
        )  # fmt: skip
        await store_yearly.add(tx, change)
    facts = {"last_day": last_day, "approval": approval.id, "on": business_date(now)}
    await audit(
        tx, principal, "fees.end_contract", f"contract:{contract['id']}", {"last_day": contract["to_day"] - DAY}, facts,
        approval.reason, at=now, company_id=approval.company_id, project_id=approval.project_id,
    )  # fmt: skip
