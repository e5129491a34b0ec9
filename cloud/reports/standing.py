"""As of which ledger entry a report is made (R-01): its number for one project, a short code for several, and both ask again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cloud.reports import store_report
from cloud.shared.db import Tx
from cloud.shared.places import Place
from protocols.errors import Refused

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Stand:
    """`entries`: project -> the last entry that counts; `code` as it stands in an address, `text` as it is printed."""

    entries: Mapping[int, int]
    total: int
    code: str
    single: bool

    @property
    def text(self) -> str:
        return f"截至台账第 {self.total:,} 笔" if self.single else f"截至台账共 {self.total:,} 笔，编号 {self.code}"


async def stand_of(tx: Tx, where: Place, asked: str, now: datetime) -> Stand:
    """Where the ledger stands now, or where a report of before was made. Refused `no_stand` for a place nobody gave out."""
    heads = await store_report.heads(tx, where.ids)
    if not asked:
        seqs = {project: heads.get(project, (0, 0))[0] for project in where.ids}
        entries = {project: heads.get(project, (0, 0))[1] for project in where.ids}
        return Stand(entries, sum(seqs.values()), await _code(tx, where, seqs, now), len(seqs) == 1)
    seqs = await _asked(tx, where, asked, {project: seq for project, (seq, _) in heads.items()})
    known = await store_report.entries_at(tx, {project: seq for project, seq in seqs.items() if seq})
    return Stand({project: known.get(project, 0) for project in where.ids}, sum(seqs.values()), asked, len(where.ids) == 1)


async def _asked(tx: Tx, where: Place, asked: str, heads: Mapping[int, int]) -> dict[int, int]:
    only = where.only
    if asked.isascii() and asked.isdigit() and len(asked) <= 15 and only is not None:
        if int(asked) > heads.get(only.id, 0):
            raise _unknown(f"{only.name}的台账还没有第 {asked} 笔")
        return {only.id: int(asked)}
    if len(asked) != 8 or set(asked) - set(_CROCKFORD):
        raise _unknown("台账位置写得不对：一个项目写序号，多个项目写报表上的 8 位编号")
    found = await store_report.stand(tx, asked)
    kept = {project: found.get(project, 0) for project in where.ids}
    if not any(project in found for project in where.ids):
        raise _unknown("没有这个编号的报表，或不在你的范围内")
    return kept


async def _code(tx: Tx, where: Place, seqs: Mapping[int, int], now: datetime) -> str:
    """The sequence itself for one project; else a digest of all, kept once for each company, so that it can be asked for."""
    if len(seqs) == 1:
        return str(next(iter(seqs.values())))
    text = "\n".join(f"{project}:{seq}" for project, seq in sorted(seqs.items()))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:5], "big")
    code = "".join(_CROCKFORD[number >> shift & 31] for shift in range(35, -1, -5))
    for company in (one for one in where.shown if one.projects):
        await store_report.keep_stand(tx, code, company.id, {one.id: seqs[one.id] for one in company.projects}, now)
    return code


def _unknown(zh: str) -> Refused:
    return Refused("no_stand", zh, "no such place in the ledger", field="stand")
