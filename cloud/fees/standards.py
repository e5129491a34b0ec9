"""Setting up what is charged: terms, standards in versions, publishing and assigning them (F-01 .. F-08, T-01 .. T-09)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from cloud.access.service import Principal, audit
from cloud.estate import service as estate
from cloud.fees import store, store_standards
from cloud.fees.calculator.rules import parse_rules
from cloud.fees.calculator.term import parse_term
from cloud.fees.differing import check_options, exceptional
from cloud.fees.domain_standards import Assignment, NamedTerm, NewAssignment, Standard, Version
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused


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


async def publish(tx: Tx, version_id: int, *, at: datetime, by: str) -> Version:
    """Put a version in force. Whoever calls has made sure that a second person wants it.

    NotFound `version_not_found`; Refused `published`, `same_day` beside another version of that day.
    """
    version = await get_version(tx, version_id, lock=True)
    if version.state == "published":
        raise Refused("published", "这个版本已经发布", f"version {version_id} is published")
    if not await store_standards.publish(tx, version_id, at, by):
        raise Refused("same_day", f"{version.effective_from} 已有一个发布的版本", "a version begins on that day already")
    return await get_version(tx, version_id)


async def assign(
    tx: Tx, standard_id: int, new: Sequence[NewAssignment], *, at: datetime, by: str, who: Principal | None = None
) -> list[int]:
    """Charge objects by a standard (F-08), all or nothing; their ids. `who`: the person whose doing it is, for the log.

    NotFound `standard_not_found`, `term_not_found`, `owner_not_found`; Refused `bad_days`, `bad_option`, `no_reason` for an
    exception without one; Conflict `overlap` naming object and dates of what is there.
    """
    standard = await get_standard(tx, standard_id)
    await check(tx, standard, new)
    made = await store_standards.add_assignments(tx, standard_id, new, at, by)
    if who is not None and new:
        await _tell_assigned(tx, standard, new, who, at)
    return made


async def check(tx: Tx, standard: Standard, new: Sequence[NewAssignment]) -> None:
    """Whether objects may be charged so; until the transaction ends nobody else assigns in the project. Refused as `assign`."""
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


async def get_version(tx: Tx, version_id: int, *, lock: bool = False) -> Version:
    """NotFound `version_not_found`, also outside the scope."""
    found = await store_standards.version(tx, version_id, lock=lock)
    if found is None:
        raise NotFound("version_not_found", "没有这个版本", f"no version {version_id}", field="version")
    return found
