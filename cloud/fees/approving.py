"""Putting a version in force by a second person, who sees what changes, in the price and in bills that are there (F-04, Y-12)."""

from __future__ import annotations

from datetime import datetime

from cloud.access.service import Approval, Principal, ask, audit
from cloud.fees import repricing, store_repricing, store_standards, store_yearly, yearly
from cloud.fees.domain_standards import Standard, Version
from cloud.fees.saying import headline, words_of
from cloud.fees.standards import get_standard, get_version, publish
from cloud.fees.store_yearly import Change
from cloud.fees.term_form import late_words
from cloud.shared.db import Tx
from protocols.errors import Conflict, Refused
from protocols.money import yuan
from protocols.time import business_date

PUBLISH, BACKDATE = "standard.publish", "standard.backdate"
"""Kinds of approval: a version that begins today or later, and one that begins in the past (F-04)."""


async def ask_publish(tx: Tx, principal: Principal, version_id: int, *, key: str, terminal: str, now: datetime) -> Approval:
    """Ask for a version to be put in force: by HQ when it begins in the past; the reader sees each line it changes (F-04).

    NotFound `version_not_found`; Conflict `not_draft`; those of `repricing.changed` and `ask`.
    """
    version = await get_version(tx, version_id)
    if version.state == "published":
        raise Conflict("not_draft", "这个版本已经发布", f"version {version_id} is published", field="version")
    standard = await get_standard(tx, version.standard_id)
    today = business_date(now)
    found = await repricing.changed(tx, version, today)
    more, less = repricing.sums(found)
    payload: dict[str, object] = {"version": version_id}
    was, after = _changed(await _in_force(tx, version), version)
    after += f"，自 {version.effective_from} 起"
    if version.filing_name:
        after += f"；备案文件 {version.filing_name}"
        payload |= {"filing": version.filing, "page": f"/fees/versions/{version_id}/filing", "page_label": "看备案文件"}
    if found:
        rows = [(one.line_id, one.old_fen, one.new_fen) for one in found]
        made = await store_repricing.add(tx, version_id, repricing.digest(found), (more, less), rows, now, principal.number)
        payload |= {"repricing": made, "page": f"/fees/repricings/{made}", "page_label": f"逐笔看 {len(found)} 笔应收的差额"}
        after += f"；已生成的 {len(found)} 笔应收跟着改：补收 {yuan(more)} 元，退减 {yuan(less)} 元"
    return await ask(
        tx, principal, kind=BACKDATE if version.effective_from < today else PUBLISH, project_id=version.project_id,
        subject=f"version:{version_id}", title=f"{standard.name} 第 {version.number} 版", amount_fen=more + less, payload=payload,
        before=was, after=after, reason=version.reason, key=key, terminal=terminal, now=now,
        beneficiary=f"standard:{standard.id}",
    )  # fmt: skip


async def publish_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """The approvals' handler: the version is in force, and the lines that the reviewer saw are adjusted, those and no others.

    Refused as `publish`; `filing_changed`; `became_past` for one whose day went by while it waited for somebody who may not
    decide about the past; `lines_changed` when they are not the ones that were seen, by payment, adjustment, a new bill (F-04).
    """
    version_id = approval.payload["version"]
    assert isinstance(version_id, int)
    version = await get_version(tx, version_id, lock=True)
    today = business_date(now)
    if approval.kind == PUBLISH and version.effective_from < today:
        zh = f"等审批时已过了生效日 {version.effective_from}：追溯生效要由总部批，请退回后重新申请"
        raise Refused("became_past", zh, f"version {version_id} begins in the past by now", field="effective_from")
    if approval.payload.get("filing") != version.filing:
        zh = "备案文件在等审批时换过，请退回后重新送审"
        raise Refused("filing_changed", zh, "the filing is not the one that the reviewer saw", field="filing")
    found = await repricing.changed(tx, version, today)
    await _as_seen(tx, approval, found)
    before = await _in_force(tx, version)
    effect = await yearly.of_version(tx, version)
    await publish(tx, version_id, at=now, by=principal.number)
    told = {"approval": approval.id, "by": approval.requester_number, "approved_by": principal.number}
    formula = f"按第 {version.number} 版（{version.effective_from} 起）{{}} − 原 {{}}"
    await repricing.apply(
        tx, version.project_id, found, lambda one: formula.format(yuan(one.new_fen), yuan(one.old_fen)),
        source=f"reprice:{approval.id}", facts_=told | {"version": version.id}, at=now, by=approval.requester_number,
    )  # fmt: skip
    price, standard = yearly.price_of(version.rules), await get_standard(tx, version.standard_id)
    was, after = headline(before.rules) if before else "", headline(version.rules)
    change = Change(
        "price", version.standard_id, version_id, effect.objects, was, after, price, effect.fen, version.reason,
        approval.requester_number, principal.number, approval.terminal, approval.id, now,
    )  # fmt: skip
    await store_yearly.add(tx, change)
    await _log(tx, principal, approval, standard, version, found, now)


async def _as_seen(tx: Tx, approval: Approval, found: list[repricing.Changed]) -> None:
    """Whether the lines are still those that the reviewer saw, with the same amounts."""
    number = approval.payload.get("repricing")
    seen = None if number is None else await store_repricing.repricing(tx, int(str(number)))
    if (seen["digest"] if seen else repricing.digest([])) == repricing.digest(found):
        return
    more, less = repricing.sums(found)
    then = f"{seen['lines']} 笔，补收 {yuan(seen['more_fen'])} 元、退减 {yuan(seen['less_fen'])} 元" if seen else "没有"
    now = f"{len(found)} 笔，补收 {yuan(more)} 元、退减 {yuan(less)} 元"
    zh = f"受影响的应收在等审批时变了：申请时 {then}，现在 {now}。什么都没有执行，请退回后重新送审"
    raise Refused("lines_changed", zh, "the lines are not those that the reviewer saw", field="version")


async def _log(
    tx: Tx,
    principal: Principal,
    approval: Approval,
    standard: Standard,
    version: Version,
    found: list[repricing.Changed],
    now: datetime,
) -> None:
    more, less = repricing.sums(found)
    facts = {
        "standard": standard.name, "number": version.number, "from": version.effective_from, "price": headline(version.rules),
        "lines": len(found), "more_fen": more, "less_fen": less, "approval": approval.id,
    }  # fmt: skip
    await audit(
        tx, principal, "fees.publish", f"version:{version.id}", None, facts, approval.reason, at=now,
        company_id=approval.company_id, project_id=approval.project_id,
    )  # fmt: skip


async def _in_force(tx: Tx, version: Version) -> Version | None:
    """The published version that holds on the day before another begins."""
    known = await store_standards.versions(tx, version.project_id, published=True)
    mine = [one for one in known if one.standard_id == version.standard_id and one.id != version.id]
    return next((one for one in reversed(mine) if one.effective_from <= version.effective_from), None)


def _changed(old: Version | None, new: Version) -> tuple[str, str]:
    """What the approver reads: the price, the term by name and code, and every choice that is not as it was; of a new one all."""
    known = [*words_of(old.rules), ("违约金", late_words(old.term.term))] if old else []
    now = [*words_of(new.rules), ("违约金", late_words(new.term.term))]
    told = [f"{headline(one.rules)}，{one.term.name}（{one.term.code}）" for one in (old, new) if one is not None]
    gone = [f"{what}：{how}" for what, how in known if (what, how) not in now]
    come = [f"{what}：{how}" for what, how in now if (what, how) not in known]
    come += [f"{what}：不再有" for what, _ in known if what not in dict(now)]
    return "；".join([told[0], *gone]) if old else "（新标准）", "；".join([told[-1], *come])
