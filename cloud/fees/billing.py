"""Making bills: a preview that saves nothing, a resumable run of drafts, publishing it whole (F-07, F-09, F-10)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from cloud.estate import service as estate
from cloud.fees import cases, facts, store, store_billing, store_standards
from cloud.fees.calculator.planning import Draft
from cloud.fees.calculator.term import LatePolicy
from cloud.fees.cases import Given
from cloud.fees.domain_standards import Assignment, NamedTerm, Version
from cloud.fees.store_billing import Row, Run
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused, Stop
from protocols.money import Fen, yuan
from protocols.time import business_date

PAGE = 500
"""Assignments a transaction of a run."""


@dataclass(frozen=True, slots=True)
class Billed:
    """What one step of a run did. `after`: the last assignment it came to, None when there are no more.

    failures  {"row": object, "message": why} of those that could not be calculated or whose place was taken by hand; they stop
              nobody else (F-06)
    """

    after: int | None
    assignments: int
    added: int
    failures: tuple[Mapping[str, str], ...]


async def preview(tx: Tx, project_id: int, assignment_ids: Sequence[int], through: date) -> list[Draft]:
    """The lines that would be billed through a day, with every step, and nothing saved (F-07).

    NotFound `assignment_not_found`; Refused by the calculator: `missing_price`, `missing_fact`, ...
    """
    found = await store_standards.assignments(tx, project_id, ids=list(assignment_ids))
    if not found or len(found) != len(set(assignment_ids)):
        raise NotFound("assignment_not_found", "没有这条收费设置", "no such assignment", field="assignment")
    return [draft for _, one in await given_of(tx, project_id, found) for draft in one.drafts(through)]


async def preview_version(tx: Tx, project_id: int, version_id: int, assignment_ids: Sequence[int], through: date) -> list[Draft]:
    """The lines that would be billed if a version were in force already (promise 0.4). NotFound `version_not_found`."""
    version = await store_standards.version(tx, version_id)
    if version is None or version.project_id != project_id:
        raise NotFound("version_not_found", "没有这个版本", f"no version {version_id}", field="version")
    found = await store_standards.assignments(tx, project_id, ids=list(assignment_ids))
    given = await given_of(tx, project_id, found, extra=version)
    return [draft for _, one in given for draft in one.drafts(through)]


async def start_run(tx: Tx, project_id: int, *, title: str, through: date, at: datetime, by: str) -> int:
    """A run of drafts of everything that is billed through a day; its batch number."""
    batch = await store.next_batch(tx)
    await store_billing.start(tx, batch, project_id, title, through, at, by)
    return batch


async def bill_some(tx: Tx, batch: int, after: int, *, at: datetime, by: str, limit: int = PAGE) -> Billed:
    """Draft the lines of the next assignments of a run. Called again with the same `after` it adds nothing twice (F-09).

    NotFound `run_not_found`; Conflict `run_over`.
    """
    mine = await _run(tx, batch)
    if mine.state != "running":
        raise Conflict("run_over", "这批应收已经生成完", f"run {batch} is {mine.state}", field="batch")
    found = await store_standards.assignments(tx, mine.project_id, after=after, limit=limit)
    rows: list[Row] = []
    failures: list[Mapping[str, str]] = []
    given = await given_of(tx, mine.project_id, found, open_only=True)
    for assignment, one in given:
        if facts.by_facts(one):
            continue
        try:
            rows += rows_of(assignment, one, mine.through)
        except Refused as problem:
            failures.append({"row": f"{assignment.object} {assignment.item}", "message": problem.zh})
    told = await facts.bill(tx, given, mine.through)
    if told.rows or told.failures:
        made = {(row.assignment_id, row.period_from) for row in told.rows}
        rows = [row for row in rows if (row.assignment_id, row.period_from) not in made] + told.rows
        failures += told.failures
    added = await store_billing.add(tx, mine.project_id, batch, rows, at, by) if rows else 0
    for met in await store_billing.in_the_way(tx, mine.project_id) if added < len(rows) else ():
        zh = f"这一期已有手工应收 {yuan(met['there'])} 元，没有按标准生成（应为 {yuan(met['wanted'])} 元）"
        failures.append({"row": f"{met['object']} {met['item']}", "message": zh})
    last = found[-1].id if len(found) == limit else None
    return Billed(last, len(found), added, tuple(failures))


async def finish_run(
    tx: Tx, batch: int, failures: Sequence[Mapping[str, str]], *, at: datetime | None = None, by: str = ""
) -> Run:
    """All assignments are done: the drafts can be looked at and published."""
    mine = await _run(tx, batch)
    if mine.state == "running":
        told = await _parts_of_others(tx, mine, at, by)
        await store_billing.finish(tx, batch, [*failures, *told])
    return await _run(tx, batch)


async def _parts_of_others(tx: Tx, run: Run, at: datetime | None, by: str) -> list[Mapping[str, str]]:
    """Items that are a percentage of another's line: when all those are drafted (Q-16). What could not be calculated."""
    found = await store_standards.assignments(tx, run.project_id, method="percentage")
    if not found:
        return []
    given = [(one, case) for one, case in await given_of(tx, run.project_id, found, open_only=True) if facts.by_facts(case)]
    told = await facts.percentages(tx, run.project_id, run.batch, given)
    if told.rows:
        await store_billing.add(tx, run.project_id, run.batch, told.rows, at or run.at, by or run.by)
    return list(told.failures)


async def publish_run(tx: Tx, batch: int, *, at: datetime, by: str) -> Run:
    """The drafts are owed from now on, and one entry says so. The same again changes nothing.

    NotFound `run_not_found`; Refused `run_running`, `month_closed` (C-38); Conflict `run_dropped`.
    """
    mine = await _run(tx, batch, lock=True)
    if mine.state == "published":
        return mine
    if mine.state == "running":
        raise Refused("run_running", "还在生成，完成后再发布", f"run {batch} is not finished", field="batch")
    if mine.state == "dropped":
        raise Conflict("run_dropped", "这批草稿已经作废", f"run {batch} was dropped", field="batch")
    totals = await store_billing.totals(tx, batch)
    if totals:
        await ledger.require_open_month(tx, mine.project_id, min(row["first_day"] for row in totals))
    await store_billing.publish(tx, batch, at, by)
    await _post(tx, mine, totals, at, by)
    return await _run(tx, batch)


async def _post(tx: Tx, run: Run, totals: Sequence[Mapping[str, object]], at: datetime, by: str) -> None:
    accounts: dict[str, Fen] = {}
    for row in totals:
        account = f"{'agency' if row['held_for_others'] else 'revenue'}:{row['item']}"
        fen = row["fen"]
        assert isinstance(fen, int)
        accounts[account] = accounts.get(account, 0) + fen
    owed, ref = sum(accounts.values()), f"batch:{run.batch}"
    if not owed:
        return
    postings = [ledger.Posting(ledger.Account.RECEIVABLE, owed, ref)]
    postings += [ledger.Posting(account, -fen, ref) for account, fen in sorted(accounts.items()) if fen]
    body = {"batch": run.batch, "lines": run.lines, "digest": await store.batch_digest(tx, run.batch), "by": by}
    await ledger.post(tx, ledger.Request(run.project_id, "bill", f"bill:{run.batch}", at, at, business_date(at), postings, body))


async def run(tx: Tx, batch: int) -> Run:
    """NotFound `run_not_found`."""
    return await _run(tx, batch)


async def runs(tx: Tx, project_id: int, limit: int = 50) -> list[Run]:
    """A project's runs, newest first."""
    return await store_billing.runs(tx, project_id, limit)


async def drop_run(tx: Tx, batch: int, *, project_id: int | None = None) -> Run:
    """Throw away drafts that nobody published; they can be made again. `project_id`: only of this project.

    NotFound `run_not_found`; Conflict `run_published`.
    """
    run = await _run(tx, batch, lock=True)
    if project_id is not None and run.project_id != project_id:
        raise NotFound("run_not_found", "没有这批应收", f"no run {batch} in project {project_id}", field="batch")
    if run.state == "published":
        raise Conflict("run_published", "已发布的应收不能作废；请逐笔调整", f"run {batch} is published", field="batch")
    await store_billing.drop(tx, batch)
    return await _run(tx, batch)


async def explain_again(tx: Tx, project_id: int, line_id: int) -> Draft | None:
    """A stored line calculated anew from what it was given; None for a line nobody calculated (an opening balance).

    Stop `not_the_same` when the calculator does not come to the stored line: one of them was changed.
    """
    kept = await store.kept(tx, project_id, line_id)
    if kept is None:
        raise NotFound("line_not_found", "没有这笔应收", f"no charge line {line_id}", field="line")
    how = None if kept["inputs"] is None else kept["inputs"].get("by")
    if how not in ("plan", "facts"):
        return None
    versions = {one.id: one for one in await store_standards.versions(tx, project_id)}
    company_id = (await estate.get_project(tx, project_id)).company_id
    terms = {one.id: one for one in await store_standards.terms(tx, company_id)}
    if how == "facts":
        found = await facts.explain(tx, kept, versions, terms)
    else:
        one, through = cases.from_inputs(kept["inputs"], versions, terms)
        period = (kept["period_from"], kept["period_to"])
        found = next((draft for draft in one.drafts(through) if (draft.start, draft.to) == period), None)
    if found is None or (found.fen, found.line.steps) != (kept["amount_fen"], tuple(kept["steps"])):
        raise Stop("not_the_same", "这笔应收重新计算的结果不同，请报告", f"line {line_id} does not calculate to itself")
    return found


def rows_of(assignment: Assignment, one: Given, through: date) -> list[Row]:
    """The lines of an assignment through a day as they are stored; free time makes none. Refused by the calculator."""
    inputs = json.dumps(cases.to_inputs(one, through), ensure_ascii=False)
    by_number = {f"{version.number}": version for version in one.versions}
    rows = []
    for draft in one.drafts(through):
        version, quantity = by_number[draft.version], draft.line.quantity
        term = next(term for day, term in reversed(one.terms) if day <= draft.start)
        rows.append(
            Row(
                assignment_id=assignment.id,
                version_id=version.id,
                item=draft.item,
                room_id=assignment.room_id,
                object=draft.object,
                payer_id=draft.payer,
                period_from=draft.start,
                period_to=draft.to,
                formula=draft.line.formula,
                steps=draft.line.steps,
                inputs=inputs,
                amount_fen=draft.fen,
                due_date=draft.due,
                late_policy=_late(term),
                quantity=None if quantity is None else Decimal(quantity.numerator) / quantity.denominator,
                unit_price=draft.line.unit_price,
            )
        )
    return [row for row in rows if row.amount_fen]


async def given_of(
    tx: Tx, project_id: int, found: Sequence[Assignment], *, extra: Version | None = None, open_only: bool = False
) -> list[tuple[Assignment, Given]]:
    """Assignments with all their lines are calculated from. `extra`: a version to be tried as if it were published.

    NotFound `project_not_found`.
    """
    company_id = (await estate.get_project(tx, project_id)).company_id
    versions: dict[int, list[Version]] = {}
    for version in await store_standards.versions(tx, project_id, published=True):
        versions.setdefault(version.standard_id, []).append(version)
    if extra is not None:
        kept = [one for one in versions.get(extra.standard_id, []) if one.effective_from != extra.effective_from]
        versions[extra.standard_id] = sorted([*kept, extra], key=lambda one: one.effective_from)
    terms = {one.id: one for one in await store_standards.terms(tx, company_id)}
    rooms_of = sorted({one.room_id for one in found if one.room_id is not None})
    rooms = {room.id: room for room in await estate.room_records(tx, project_id, rooms_of)} if rooms_of else {}
    statuses = await estate.room_statuses(tx, rooms_of)
    payers: dict[int, list[estate.Payer]] = {}
    for payer in await estate.payer_history(tx, rooms_of):
        payers.setdefault(payer.room_id, []).append(payer)
    charged = await store.charged_through(tx, [one.id for one in found])
    answer = []
    for one in found:
        known = versions.get(one.standard_id, [])
        if not known and open_only:
            continue
        term = _term_of(one, known, terms)
        room = rooms.get(one.room_id) if one.room_id is not None else None
        mine = payers.get(one.room_id, []) if one.room_id is not None else []
        spans = statuses.get(one.room_id, []) if one.room_id is not None else []
        ends = _earlier(one.to_day, room.closed_on if room else None)
        case = cases.given(
            replace(one, to_day=ends), known, term, room=room, statuses=spans, payers=mine, charged_to=charged.get(one.id)
        )
        answer.append((one, case))
    return answer


def _term_of(one: Assignment, versions: Sequence[Version], terms: Mapping[int, NamedTerm]) -> NamedTerm:
    if one.term_id is not None:
        return terms[one.term_id]
    if not versions:
        raise Refused("missing_price", f"{one.object} 的收费标准还没有发布", "no version is published", field="standard")
    return versions[-1].term


def _earlier(first: date | None, second: date | None) -> date | None:
    return min((day for day in (first, second) if day is not None), default=None)


def _late(term: NamedTerm) -> str | None:
    return None if term.term.late is None else _late_json(term.term.late)


@lru_cache(maxsize=256)
def _late_json(policy: LatePolicy) -> str:
    return policy.model_dump_json(exclude_none=True)


async def _run(tx: Tx, batch: int, *, lock: bool = False) -> Run:
    found = await store_billing.run(tx, batch, lock=lock)
    if found is None:
        raise NotFound("run_not_found", "没有这批应收", f"no run {batch}", field="batch")
    return found
