"""Setting up what is charged: terms, standards in versions, publishing and assigning them (F-01 .. F-08, T-01 .. T-09)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from cloud.access.service import Approval, Principal, ask, audit
from cloud.estate import service as estate
from cloud.fees import store, store_standards
from cloud.fees.calculator.rules import parse_rules
from cloud.fees.calculator.term import parse_term
from cloud.fees.differing import check_options, exceptional
from cloud.fees.domain_standards import Assignment, NamedTerm, NewAssignment, Standard, Version
from cloud.fees.saying import headline, words_of
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused
from protocols.time import business_date

PUBLISH, BACKDATE = "standard.publish", "standard.backdate"
"""Kinds of approval: a version that begins today or later, and one that begins in the past (F-04)."""


async def add_term(
    tx: Tx, company_id: int, *, code: str, name: str, document: Mapping[str, Any], at: datetime, by: str
) -> NamedTerm:
    """A term under a new code; the same again gives the first. Refused for what the term leaves open; Conflict `code_taken`."""
    term = parse_term(document)
    made = await store_standards.add_term(tx, company_id, code, name, term, at, by)
    if made is not None:
        return made
    known = next(one for one in await store_standards.terms(tx, company_id) if one.code == code)
    if known.term != term:
        zh = f"缴费期限 {code} 已经有了，内容不一样；期限不能改，请换一个编号"
        raise Conflict("code_taken", zh, f"term {code} is there with other content", field="code")
    return known


async def terms(tx: Tx, company_id: int) -> list[NamedTerm]:
    """A company's terms, by code."""
    return await store_standards.terms(tx, company_id)


async def add_standard(tx: Tx, project_id: int, *, item: str, code: str, name: str, at: datetime, by: str) -> int:
    """A standard without a price yet; the same again gives the first. Refused `unknown_item`; Conflict `code_taken`."""
    made = await store_standards.add_standard(tx, project_id, item, code, name, at, by)
    if made is not None:
        return made
    known = next((one for one in await store_standards.standards(tx, project_id) if one.code == code), None)
    if known is None:
        raise Refused("unknown_item", f"没有费用项目 {item}", f"no fee item {item}", field="item")
    if known.item != item:
        raise Conflict("code_taken", f"收费标准 {code} 已经用于别的项目", f"standard {code} is of {known.item}", field="code")
    return known.id


async def get_standard(tx: Tx, standard_id: int) -> Standard:
    """NotFound `standard_not_found`, also outside the scope."""
    found = await store_standards.standard(tx, standard_id)
    if found is None:
        raise NotFound("standard_not_found", "没有这个收费标准", f"no standard {standard_id}", field="standard")
    return found


async def standards(tx: Tx, project_id: int) -> list[Standard]:
    """A project's standards, in the order their items print."""
    return await store_standards.standards(tx, project_id)


async def versions(tx: Tx, project_id: int) -> list[Version]:
    """All versions of a project's standards, drafts too, by standard and day."""
    return await store_standards.versions(tx, project_id)


async def draft_version(
    tx: Tx,
    standard_id: int,
    *,
    effective_from: date,
    document: Mapping[str, Any],
    term_id: int,
    reason: str,
    at: datetime,
    by: str,
) -> Version:
    """A new version, not in force until it is published (F-04).

    NotFound `standard_not_found`, `term_not_found`; Refused for rules that leave something open (Q-09), `no_reason`.
    """
    found = await get_standard(tx, standard_id)
    company_id = (await estate.get_project(tx, found.project_id)).company_id
    if all(term.id != term_id for term in await store_standards.terms(tx, company_id)):
        raise NotFound("term_not_found", "没有这个缴费期限", f"no term {term_id}", field="term")
    if len(reason.strip()) < 2:
        raise Refused("no_reason", "写一句为什么定这个价", "a version needs a reason", field="reason")
    rules = parse_rules(document)
    made = await store_standards.add_version(tx, standard_id, effective_from, rules, term_id, reason.strip(), at, by)
    version = await store_standards.version(tx, made)
    assert version is not None
    return version


async def ask_publish(tx: Tx, principal: Principal, version_id: int, *, key: str, terminal: str, now: datetime) -> Approval:
    """Ask for a version to be put in force: by HQ when it begins in the past, and then the reader sees what it changes (F-04).

    NotFound `version_not_found`; Conflict `not_draft`; those of `ask`.
    """
    version = await _version(tx, version_id)
    if version.state == "published":
        raise Conflict("not_draft", "这个版本已经发布", f"version {version_id} is published", field="version")
    standard = await store_standards.standard(tx, version.standard_id)
    assert standard is not None
    before = [
        one for one in await store_standards.versions(tx, version.project_id, published=True) if one.standard_id == standard.id
    ]
    in_force = next((one for one in reversed(before) if one.effective_from <= version.effective_from), None)
    past = version.effective_from < business_date(now)
    touched = await store.lines_since(tx, standard.id, version.effective_from) if past else (0, 0)
    was, after = _changed(in_force, version)
    after += f"，自 {version.effective_from} 起"
    if touched[0]:
        after += f"；影响已生成的 {touched[0]} 笔应收"
    return await ask(
        tx, principal, kind=BACKDATE if past else PUBLISH, project_id=version.project_id, subject=f"version:{version_id}",
        title=f"{standard.name} 第 {version.number} 版", amount_fen=touched[1], payload={"version": version_id},
        before=was, after=after, reason=version.reason, key=key,
        terminal=terminal, now=now, beneficiary=f"standard:{standard.id}",
    )  # fmt: skip


def _changed(old: Version | None, new: Version) -> tuple[str, str]:
    """What the approver reads: the price, the term by name and code, and every choice that is not as it was; of a new one all."""
    known = words_of(old.rules) if old else []
    now = words_of(new.rules)
    told = [f"{headline(one.rules)}，{one.term.name}（{one.term.code}）" for one in (old, new) if one is not None]
    gone = [f"{what}：{how}" for what, how in known if (what, how) not in now]
    come = [f"{what}：{how}" for what, how in now if (what, how) not in known]
    come += [f"{what}：不再有" for what, _ in known if what not in dict(now)]
    return "；".join([told[0], *gone]) if old else "（新标准）", "；".join([told[-1], *come])


async def publish(tx: Tx, version_id: int, *, at: datetime, by: str) -> Version:
    """Put a version in force. Whoever calls has made sure that a second person wants it.

    NotFound `version_not_found`; Refused `published`, `same_day` beside another version of that day.
    """
    version = await _version(tx, version_id, lock=True)
    if version.state == "published":
        raise Refused("published", "这个版本已经发布", f"version {version_id} is published")
    if not await store_standards.publish(tx, version_id, at, by):
        raise Refused("same_day", f"{version.effective_from} 已有一个发布的版本", "a version begins on that day already")
    return await _version(tx, version_id)


async def publish_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """The approvals' handler: the version is in force. Refused as `publish`, and `became_past` for one whose day went by while it
    waited for somebody who may not decide about the past (F-04).
    """
    version_id = approval.payload["version"]
    assert isinstance(version_id, int)
    version = await _version(tx, version_id)
    if approval.kind == PUBLISH and version.effective_from < business_date(now):
        zh = f"等审批时已过了生效日 {version.effective_from}：追溯生效要由总部批，请退回后重新申请"
        raise Refused("became_past", zh, f"version {version_id} begins in the past by now", field="effective_from")
    await publish(tx, version_id, at=now, by=principal.number)


async def assign(
    tx: Tx, standard_id: int, new: Sequence[NewAssignment], *, at: datetime, by: str, who: Principal | None = None
) -> list[int]:
    """Charge objects by a standard (F-08), all or nothing; their ids. `who`: the person whose doing it is, for the log.

    NotFound `standard_not_found`, `term_not_found`, `owner_not_found`; Refused `bad_days`, `bad_option`, `no_reason` for an
    exception without one; Conflict `overlap` naming object and dates of what is there.
    """
    standard = await get_standard(tx, standard_id)
    await _check_new(tx, standard, new)
    seen: dict[str, list[tuple[date, date]]] = {}
    for one in new:
        end = one.to_day or date.max
        if end <= one.from_day:
            raise Refused("bad_days", f"{one.object} 的最后一天早于第一天", "it ends before it begins", field="to_day")
        for first, last in seen.setdefault(one.object, []):
            if one.from_day < last and first < end:
                raise _overlap(one.object, first, None if last == date.max else last)
        seen[one.object].append((one.from_day, end))
    await store_standards.lock_assignments(tx, standard.project_id)
    met = await store_standards.covered(tx, standard.project_id, new, standard.item)
    if met is not None:
        raise _overlap(*met)
    made = await store_standards.add_assignments(tx, standard_id, new, at, by)
    if who is not None and new:
        await _tell_assigned(tx, standard, new, who, at)
    return made


async def _check_new(tx: Tx, standard: Standard, new: Sequence[NewAssignment]) -> None:
    company_id = (await estate.get_project(tx, standard.project_id)).company_id
    wanted = {one.term_id for one in new if one.term_id is not None}
    if wanted and wanted - {term.id for term in await store_standards.terms(tx, company_id)}:
        raise NotFound("term_not_found", "没有这个缴费期限", f"no term among {sorted(wanted)}", field="term")
    payers = sorted({one.payer_id for one in new if one.payer_id is not None})
    if payers:
        known = {one.id for one in await estate.owner_records(tx, payers) if one.project_id == standard.project_id}
        if set(payers) - known:
            raise NotFound("owner_not_found", "这个项目没有这位业主", f"no owner among {payers}", field="payer")
    for one in new:
        check_options(one.options or {})
        if exceptional(one.options or {}) and len(one.reason.strip()) < 2:
            raise Refused("no_reason", "和标准不一样的收费要写原因", "an exception needs a reason", field="reason")


async def _tell_assigned(tx: Tx, standard: Standard, new: Sequence[NewAssignment], who: Principal, at: datetime) -> None:
    """On the log; an exception or another term than the standard's is an alarm too (G-04)."""
    first = new[0]
    company_id = (await estate.get_project(tx, standard.project_id)).company_id
    facts = {
        "item": standard.item, "count": len(new), "objects": sorted(one.object for one in new)[:20], "from": first.from_day,
        "to": first.to_day, "term": first.term_id, "payer": first.payer_id, "options": dict(first.options or {}),
    }  # fmt: skip
    await audit(
        tx, who, "fees.assign", f"standard:{standard.id}", None, facts, first.reason, at=at, company_id=company_id,
        project_id=standard.project_id,
    )  # fmt: skip
    if any(exceptional(one.options or {}) or one.term_id is not None for one in new):
        told = {"project_id": standard.project_id, "kind": "charge_exception", "subject": f"standard:{standard.id}"}
        await tx.notify("alarm", told | {"holder": who.number, "objects": facts["objects"], "options": facts["options"]})


def _overlap(object_: str, first: date, end: date | None) -> Conflict:
    until = f"至 {end - timedelta(days=1)}" if end else "起（未定结束日）"
    zh = f"{object_} 已有同一项目的收费：{first} {until}；先结束那一条"
    return Conflict("overlap", zh, f"{object_} is charged from {first} to {end}", field="from_day", object=object_)


async def end_assignment(
    tx: Tx, project_id: int, assignment_id: int, *, last_day: date, who: Principal | None = None, at: datetime | None = None
) -> Assignment:
    """The object is charged until and with `last_day`. Not before what was already charged: adjust those lines instead (T-09).
    `who` ends it, `at`: for the log.

    NotFound `assignment_not_found`; Refused `charged_through`, `bad_days`.
    """
    await store_standards.lock_assignments(tx, project_id)
    found = next(iter(await store_standards.assignments(tx, project_id, ids=[assignment_id])), None)
    if found is None:
        raise NotFound("assignment_not_found", "没有这条收费设置", f"no assignment {assignment_id}", field="assignment")
    end = last_day + timedelta(days=1)
    if end <= found.from_day:
        raise Refused("bad_days", "最后一天早于第一天", "it ends before it begins", field="last_day")
    through = await store.charged_through(tx, [assignment_id])
    if through.get(assignment_id, end) > end:
        last = through[assignment_id] - timedelta(days=1)
        zh = f"已收到 {last} 的应收，结束日不能早于这一天；要退，请调整应收"
        raise Refused("charged_through", zh, f"charged through {last}", field="last_day")
    await store_standards.end_assignment(tx, assignment_id, end)
    if who is not None and at is not None:
        company_id = (await estate.get_project(tx, project_id)).company_id
        before, after = {"last_day": found.to_day}, {"object": found.object, "item": found.item, "last_day": last_day}
        await audit(
            tx, who, "fees.end", f"assignment:{assignment_id}", before, after, "", at=at,
            company_id=company_id, project_id=project_id,
        )  # fmt: skip
    return next(iter(await store_standards.assignments(tx, project_id, ids=[assignment_id])))


async def assignments(tx: Tx, project_id: int) -> list[Assignment]:
    """All of a project, those that ended too."""
    return await store_standards.assignments(tx, project_id)


async def _version(tx: Tx, version_id: int, *, lock: bool = False) -> Version:
    found = await store_standards.version(tx, version_id, lock=lock)
    if found is None:
        raise NotFound("version_not_found", "没有这个版本", f"no version {version_id}", field="version")
    return found
