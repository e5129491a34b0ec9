"""Objects charged otherwise than their standard says: a factor, an area, days without rent, by a second person (1.1, G-04)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from cloud.access.service import Approval, Principal, ask, setting
from cloud.estate import service as estate
from cloud.fees import standards, store_yearly, yearly
from cloud.fees.differing import exceptional, words
from cloud.fees.domain_standards import NewAssignment, Standard
from cloud.fees.store_yearly import Change
from cloud.shared.db import Tx
from protocols.money import Fen, yuan
from protocols.time import business_date

EXCEPTION = "charge.exception"
_NAMED = 10


async def assign(
    tx: Tx, who: Principal, standard_id: int, new: Sequence[NewAssignment], *, key: str, terminal: str, at: datetime
) -> list[int] | Approval:
    """Charge objects by a standard; what differs from it waits for a second person, unless a year of the difference is within the
    company's free limit. Without a key the same content is the same request.

    As `standards.assign`; those of `ask`.
    """
    standard = await standards.get_standard(tx, standard_id)
    if not any(exceptional(one.options or {}) for one in new):
        made = await standards.assign(tx, standard_id, new, at=at, by=who.number, who=who)
        await _few(tx, who, standard, new, terminal, at)
        return made
    await standards.check(tx, standard, new)
    effect = await yearly.of_exceptions(tx, standard.project_id, new, business_date(at))
    company_id = (await estate.get_project(tx, standard.project_id)).company_id
    free = await setting(tx, "fees.free_exception", company_id)
    if effect.fen is not None and 0 < abs(effect.fen) <= free:
        made = await standards.assign(tx, standard_id, new, at=at, by=who.number, who=who)
        await _keep(tx, standard, new, effect, (who.number, "", terminal, None), at)
        return made
    payload = {"standard": standard_id, "new": [_written(one) for one in new]}
    digest = hashlib.sha256(json.dumps(payload, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    return await ask(
        tx,
        who,
        kind=EXCEPTION,
        project_id=standard.project_id,
        subject=f"exception:{digest[:16]}",
        title=f"{standard.name}：{_objects(new)} 个别收费",
        amount_fen=abs(effect.fen or 0),
        payload=payload,
        before=f"按标准收，一年 {_fen(effect.before_fen)}",
        after=f"{words(new[0].options or {})}，自 {new[0].from_day} 起，一年 {_fen(effect.after_fen)}",
        reason=new[0].reason,
        key=key or f"exception-{digest[:40]}",
        terminal=terminal,
        now=at,
        beneficiary=f"standard:{standard_id}",
    )


async def exception_approved(tx: Tx, approval: Approval, principal: Principal, now: datetime) -> None:
    """The approvals' handler: the objects are charged so. Conflict `overlap` when they are charged by now."""
    standard_id, rows = approval.payload["standard"], approval.payload["new"]
    assert isinstance(standard_id, int) and isinstance(rows, list)
    standard, new = await standards.get_standard(tx, standard_id), [_read(one) for one in rows]
    await standards.assign(tx, standard_id, new, at=now, by=approval.requester_number, who=principal)
    effect = await yearly.of_exceptions(tx, standard.project_id, new, business_date(now))
    told = (approval.requester_number, principal.number, approval.terminal, approval.id)
    await _keep(tx, standard, new, effect, told, now)


async def _keep(
    tx: Tx,
    standard: Standard,
    new: Sequence[NewAssignment],
    effect: yearly.Effect,
    told: tuple[str, str, str, int | None],
    at: datetime,
) -> None:
    by, approved_by, terminal, approval = told
    await store_yearly.add(
        tx,
        Change(
            "exception", standard.id, None, [one.object for one in new], f"按标准，一年 {_fen(effect.before_fen)}",
            f"{words(new[0].options or {})}，一年 {_fen(effect.after_fen)}", None, effect.fen, new[0].reason, by, approved_by,
            terminal, approval, at,
        ),
    )  # fmt: skip


async def _few(tx: Tx, who: Principal, standard: Standard, new: Sequence[NewAssignment], terminal: str, at: datetime) -> None:
    """A price of its own for one or two of many: headquarters sees it (G-04). Leases have theirs by contract."""
    if any(one.contract_id is not None for one in new):
        return
    mine, others = await store_yearly.others(tx, standard.project_id, standard.item, standard.id, business_date(at))
    if 0 < mine < 3 <= others:
        said = f"本标准共收 {mine} 户，其余 {others} 户按别的标准收"
        change = Change(
            "few_rooms", standard.id, None, [one.object for one in new], "", said, None, None, new[0].reason, who.number, "",
            terminal, None, at,
        )  # fmt: skip
        await store_yearly.add(tx, change)


def _objects(new: Sequence[NewAssignment]) -> str:
    named = "、".join(one.object for one in new[:_NAMED])
    return named if len(new) <= _NAMED else f"{named} 等 {len(new)} 户"


def _fen(fen: Fen | None) -> str:
    return "要看读数" if fen is None else f"{yuan(fen)} 元"


def _written(one: NewAssignment) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(one).items()}


def _read(one: Mapping[str, Any]) -> NewAssignment:
    to_day = None if one["to_day"] is None else date.fromisoformat(one["to_day"])
    return NewAssignment(**{**one, "from_day": date.fromisoformat(one["from_day"]), "to_day": to_day})
