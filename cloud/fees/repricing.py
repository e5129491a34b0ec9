"""A price for days that are billed already: which lines it changes, by how much, and changing exactly those (F-04, T-07, Q-47).

A line is calculated twice from what it was calculated from: with the published versions, and with the new one among them. Only
the price differs; what was adjusted by hand stays adjusted. A line paid before its period began keeps its price where the
standard says so. Percentages of changed lines change with them (Q-16).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cloud.estate import service as estate
from cloud.fees import cases, facts, store, store_adjusting, store_repricing, store_standards
from cloud.fees.calculator.planning import Draft
from cloud.fees.calculator.rules import Recurring
from cloud.fees.charging import charge
from cloud.fees.domain_standards import NamedTerm, Version
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from protocols.errors import Refused
from protocols.money import Fen
from protocols.time import business_date


@dataclass(frozen=True, slots=True)
class Changed:
    """A billed line: what it asks for with its adjustments, and what it would ask for."""

    line_id: int
    account: str
    old_fen: Fen
    new_fen: Fen

    @property
    def difference_fen(self) -> Fen:
        return self.new_fen - self.old_fen


def sums(found: Sequence[Changed]) -> tuple[Fen, Fen]:
    """(what is charged more, what is charged less)."""
    return (
        sum(max(one.difference_fen, 0) for one in found),
        sum(max(-one.difference_fen, 0) for one in found),
    )


def digest(found: Sequence[Changed]) -> str:
    """One text of a list: the same lines with the same amounts."""
    rows = [[one.line_id, one.old_fen, one.new_fen] for one in sorted(found, key=lambda one: one.line_id)]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


async def changed(tx: Tx, version: Version, today: date) -> list[Changed]:
    """The lines that a version would change, locked. One from today on changes only what the standard tops up (T-07).

    Refused `drafts_waiting` while drafts of the standard are neither published nor dropped, and what the calculator refuses.
    """
    waiting = await store_repricing.drafts(tx, version.standard_id, version.effective_from)
    if waiting:
        zh = f"这个标准还有 {waiting} 笔应收草稿没有发布，先发布或作废那批草稿"
        raise Refused("drafts_waiting", zh, f"{waiting} drafts wait", field="version")
    rows = await store_repricing.lines(tx, version.standard_id, version.effective_from)
    if not rows:
        return []
    again = await _Again.of(tx, version)
    found = []
    for row in rows:
        if not _kept(row, again.versions[row["version_id"]], past=version.effective_from < today):
            difference = await again.with_new(tx, row) - await again.without(tx, row)
            found += changed_line(row, difference)
    return found + await _percentages(tx, version.project_id, rows, found, again)


def _kept(row: Mapping[str, Any], own: Version, *, past: bool) -> bool:
    """Whether a line keeps its price: paid ahead where the standard keeps it; before its time has come unless it is topped up."""
    tops_up = isinstance(own.rules, Recurring) and own.rules.on_price_change == "top_up"
    ahead = row["status"] == "paid" and row["paid_on"] is not None and row["paid_on"] < row["period_from"]
    return not tops_up and (ahead or not past)


def changed_line(row: Mapping[str, Any], difference: Fen) -> list[Changed]:
    """None or one: what was waived or discounted cannot be taken back once more, a line with its adjustments never falls below.

    row  a line of `store_repricing`: id, item, held_for_others, asked_fen, lessened_fen
    """
    difference = max(difference, row["lessened_fen"] - row["asked_fen"])
    account = f"{'agency' if row['held_for_others'] else 'revenue'}:{row['item']}"
    return [Changed(row["id"], account, row["asked_fen"], row["asked_fen"] + difference)] if difference else []


async def _percentages(
    tx: Tx, project_id: int, rows: Sequence[Mapping[str, Any]], bases: Sequence[Changed], again: _Again
) -> list[Changed]:
    by_id = {one.line_id: one.difference_fen for one in bases}
    objects = sorted({row["object"] for row in rows if row["id"] in by_id})
    found = []
    for row in await store_repricing.parts_of(tx, project_id, list(by_id), objects) if by_id else ():
        more = by_id[int(row["inputs"]["base"])]
        known = [again.versions[one] for one in row["inputs"]["versions"]]
        new = dict(row["inputs"]) | {"base_fen": int(row["inputs"]["base_fen"]) + more}
        was, now = (sum(made.line.fen for made in charge(inputs, known)) for inputs in (row["inputs"], new))
        found += changed_line(row, now - was)
    return found


@dataclass(frozen=True, slots=True)
class _Again:
    """Lines calculated anew, with and without a version."""

    version: Version
    versions: Mapping[int, Version]
    terms: Mapping[int, NamedTerm]
    published: tuple[int, ...]
    plans: dict[tuple[str, int], list[Draft]]

    @classmethod
    async def of(cls, tx: Tx, version: Version) -> _Again:
        versions = {one.id: one for one in await store_standards.versions(tx, version.project_id)}
        company_id = (await estate.get_project(tx, version.project_id)).company_id
        terms = {one.id: one for one in await store_standards.terms(tx, company_id)}
        mine = [one for one in versions.values() if one.standard_id == version.standard_id and one.state == "published"]
        published = tuple(one.id for one in sorted(mine, key=lambda one: one.effective_from) if one.id != version.id)
        return cls(version, versions, terms, published, {})

    async def without(self, tx: Tx, row: Mapping[str, Any]) -> Fen:
        return await self._fen(tx, row, self.published)

    async def with_new(self, tx: Tx, row: Mapping[str, Any]) -> Fen:
        ids = sorted({*self.published, self.version.id}, key=lambda one: self.versions[one].effective_from)
        return await self._fen(tx, row, tuple(ids))

    async def _fen(self, tx: Tx, row: Mapping[str, Any], ids: tuple[int, ...]) -> Fen:
        """What the days of a line come to by some versions. Refused `not_covered` when they are not planned anew."""
        inputs = dict(row["inputs"]) | {"versions": list(ids)}
        start, to = row["period_from"], row["period_to"]
        if inputs["by"] == "plan":
            pieces = [(one.start, one.to, one.fen) for one in self._plan(inputs, len(ids))]
        else:
            known = [self.versions[one] for one in ids]
            made = charge(inputs, known, await facts.split_of(tx, inputs["facts"]))
            pieces = [(one.start, one.to, one.line.fen) for one in made]
        inside = [one for one in pieces if start <= one[0] and one[1] <= to]
        if sum((end - begin).days for begin, end, _ in inside) != (to - start).days:
            zh = f"{row['object']} {row['item_name']} {start} 起的一笔不能按新价重算，请先调整或取消这一笔"
            raise Refused("not_covered", zh, f"line {row['id']} is not planned anew", field="version")
        return sum(fen for _, _, fen in inside)

    def _plan(self, inputs: Mapping[str, Any], many: int) -> list[Draft]:
        """Lines of one run share what they were calculated from."""
        key = (json.dumps(inputs, sort_keys=True), many)
        if key not in self.plans:
            given, through = cases.from_inputs(inputs, self.versions, self.terms)
            self.plans[key] = given.drafts(through)
        return self.plans[key]


async def apply(
    tx: Tx,
    project_id: int,
    found: Sequence[Changed],
    formula: Callable[[Changed], str],
    *,
    source: str,
    facts_: Mapping[str, object],
    at: datetime,
    by: str,
) -> int | None:
    """An adjustment line for each, in one bill; its batch. Nothing is changed in place (F-04, F-10, C-38)."""
    if not found:
        return None
    batch, day = await store.next_batch(tx), business_date(at)
    accounts: dict[str, Fen] = {}
    for one in found:
        await store_adjusting.add(tx, one.line_id, batch, one.difference_fen, formula(one), day, at, by)
        accounts[one.account] = accounts.get(one.account, 0) + one.difference_fen
    ref, total = f"batch:{batch}", sum(accounts.values())
    postings = [ledger.Posting(ledger.Account.RECEIVABLE, total, ref)] if total else []
    postings += [ledger.Posting(account, -fen, ref) for account, fen in sorted(accounts.items()) if fen]
    body = {"batch": batch, "lines": len(found), "digest": await store.batch_digest(tx, batch)}
    if not postings:
        # More and less are the same: the bill is still on record, as one of nothing.
        fen = sum(one.difference_fen for one in found if one.difference_fen > 0)
        postings = [ledger.Posting(ledger.Account.RECEIVABLE, fen, ref), ledger.Posting(ledger.Account.RECEIVABLE, -fen, ref)]
    await ledger.post(tx, ledger.Request(project_id, "bill", source, at, at, day, postings, body | dict(facts_)))
    return batch
