"""Charge lines that somebody writes or a list brings, and items nobody set up: by a second person (F-09, 1.1).

Never in the place of a standard's bill. Up to the company's free limit (usually 0) a manager's own lines are billed at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from cloud.access.service import Approval, Principal, ask, audit, setting
from cloud.fees import store, store_standards
from cloud.fees.domain import Item, NewLine
from cloud.fees.domain_standards import NewAssignment
from cloud.fees.lines import add_lines, check_line, put_items
from cloud.shared.db import Tx
from protocols.errors import Conflict
from protocols.money import yuan

BY_HAND, NEW_ITEM = "charge.byhand", "charge.item"
_BY_FACTS = ("metered", "apportioned")
"""What is read or shared out comes as a list; a run of bills does not make it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Items and lines of a project that belong together."""

    company_id: int
    project_id: int
    items: Sequence[Item]
    lines: Sequence[NewLine]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it: lines billed now, or the request that waits."""

    added: int
    approval: Approval | None = None


async def add(tx: Tx, who: Principal, wanted: Wanted, *, reason: str, key: str, terminal: str, at: datetime) -> Answer:
    """Bill lines by hand, all or nothing, or ask for it: headquarters for items the company does not have, a second person for
    more than the free limit. Without a key the same content is the same request.

    As `add_lines`; Conflict `billed_by_standard` for what a standard bills (the line would keep the run from billing it),
    `item_differs`; those of `ask`.
    """
    known = await store.items(tx, wanted.company_id)
    fresh = [one for one in wanted.items if one.code not in known]
    await put_items(tx, wanted.company_id, [one for one in wanted.items if one.code in known])
    for line in wanted.lines:
        check_line(line, known | {one.code: (0, one) for one in fresh})
    await _not_billed_otherwise(tx, wanted, known)
    total = sum(line.amount_fen for line in wanted.lines)
    free = await setting(tx, "fees.free_by_hand", wanted.company_id)
    if not fresh and (not wanted.lines or total <= free):
        return Answer(await _bill(tx, who, wanted, at, None))
    if not fresh and not await store.missing(tx, wanted.project_id, wanted.lines):
        return Answer(0)
    payload = _payload(wanted)
    digest = hashlib.sha256(json.dumps(payload, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    named = "、".join(one.name for one in fresh)
    said = f"{len(wanted.lines)} 笔手工应收" if wanted.lines else ""
    asked = await ask(
        tx,
        who,
        kind=NEW_ITEM if fresh else BY_HAND,
        project_id=wanted.project_id,
        subject=f"by_hand:{digest[:16]}",
        title=" · ".join(filter(None, [f"新费用项目 {named}"[:120] if fresh else "", said])),
        amount_fen=total,
        payload=payload,
        before="没有这些应收" if wanted.lines else "没有这个费用项目",
        after=_told(wanted, fresh, known),
        reason=reason,
        key=key or f"by-hand-{digest[:40]}",
        terminal=terminal,
        now=at,
        beneficiary=f"user:{who.number}",
    )
    return Answer(0, asked)


async def by_hand_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """The approvals' handler: items are registered, lines billed. Conflict `billed_by_standard` when a standard bills them by
    now, `known_line` when one of them lives by now."""
    payload = approval.payload
    wanted = Wanted(approval.company_id, approval.project_id, _items(payload), _lines(payload))
    await put_items(tx, wanted.company_id, wanted.items)
    await _not_billed_otherwise(tx, wanted, await store.items(tx, wanted.company_id))
    await _bill(tx, principal, wanted, now, approval)


async def _bill(tx: Tx, who: Principal, wanted: Wanted, at: datetime, approval: Approval | None) -> int:
    by = who.number if approval is None else approval.requester_number
    added = await add_lines(
        tx, company_id=wanted.company_id, project_id=wanted.project_id, lines=wanted.lines, at=at, by=by
    ) if wanted.lines else 0  # fmt: skip
    if approval is not None and added < len(wanted.lines):
        zh = f"其中 {len(wanted.lines) - added} 笔在等审批时已经有了，请退回后重新申请"
        raise Conflict("known_line", zh, "some of these lines live by now", field="lines")
    if added or approval is not None:
        facts = {
            "lines": len(wanted.lines), "added": added, "fen": sum(line.amount_fen for line in wanted.lines),
            "items": sorted({line.item for line in wanted.lines} | {one.code for one in wanted.items}),
            "approval": approval.id if approval else None,
        }  # fmt: skip
        await audit(
            tx, who, "fees.add_lines", f"project:{wanted.project_id}", None, facts, approval.reason if approval else "", at=at,
            company_id=wanted.company_id, project_id=wanted.project_id,
        )  # fmt: skip
    return added


def _told(wanted: Wanted, fresh: Sequence[Item], known: Mapping[str, tuple[int, Item]]) -> str:
    """What the approver reads: each new item with whose money it is, sums by item, the first lines."""
    names = {code: item.name for code, (_, item) in known.items()} | {one.code: one.name for one in fresh}
    told = [f"{one.name}（{'替别人收的' if one.held_for_others else '公司的收入'}）" for one in fresh]
    sums: dict[str, list[int]] = {}
    for line in wanted.lines:
        sums.setdefault(line.item, []).append(line.amount_fen)
    told += [f"{names[item]} {len(found)} 笔共 {yuan(sum(found))} 元" for item, found in sorted(sums.items())]
    told += [f"{line.object} {names[line.item]} {line.formula[:60]} = {yuan(line.amount_fen)}" for line in wanted.lines[:5]]
    if len(wanted.lines) > 5:
        told.append(f"等 {len(wanted.lines)} 笔")
    return "；".join(told)


def _payload(wanted: Wanted) -> dict[str, Any]:
    lines = [
        {name: str(value) if isinstance(value, date | Decimal) else value for name, value in asdict(one).items()}
        for one in wanted.lines
    ]
    return {"items": [asdict(one) for one in wanted.items], "lines": lines}


def _items(payload: Mapping[str, Any]) -> list[Item]:
    return [Item(**one) for one in payload["items"]]


def _lines(payload: Mapping[str, Any]) -> list[NewLine]:
    days, numbers = ("period_from", "period_to", "due_date"), ("quantity", "unit_price")
    found = []
    for one in payload["lines"]:
        read = dict(one) | {name: date.fromisoformat(one[name]) for name in days}
        read |= {name: None if one[name] is None else Decimal(one[name]) for name in numbers}
        found.append(NewLine(**read))
    return found


async def _not_billed_otherwise(tx: Tx, wanted: Wanted, known: Mapping[str, tuple[int, Item]]) -> None:
    by_item: dict[str, list[NewAssignment]] = {}
    for line in wanted.lines:
        if line.item in known and known[line.item][1].category not in _BY_FACTS:
            end = max(line.period_to, line.period_from + timedelta(days=1))
            by_item.setdefault(line.item, []).append(NewAssignment(0, line.room_id, line.object, line.period_from, end))
    for item, lines in by_item.items():
        met = await store_standards.covered(tx, wanted.project_id, lines, item)
        if met is not None:
            zh = f"{met[0]} 的{known[item][1].name}按收费标准生成，不能手工录入；要改请调整应收"
            raise Conflict("billed_by_standard", zh, f"{met[0]} is charged {item} by a standard", field="lines", object=met[0])
