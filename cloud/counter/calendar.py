"""Which days a company works: Monday to Friday but for what the State Council moved and what headquarters says (C-35)."""

from __future__ import annotations

from datetime import date, datetime

from cloud.access.service import Principal, audit
from cloud.counter import store_calendar
from cloud.shared.db import Tx
from cloud.shared.places import look
from protocols.errors import NotFound, Refused


async def change(tx: Tx, company_id: int, day: date, works: bool | None, name: str, who: Principal, *, at: datetime) -> None:
    """A day is worked or off in a company, for a reason; None: as the State Council has it again.

    NotFound `company_not_found`; Refused `no_reason`, `bad_day` (more than two years away).
    """
    where = await look(tx, None)
    if company_id not in {one.id for one in where.companies}:
        raise NotFound("company_not_found", "没有这个公司", f"no company {company_id}", field="company")
    name = name.strip()
    if not 2 <= len(name) <= 60:
        raise Refused("no_reason", "写一句为什么，例如：司庆放假", "a name or reason is needed", field="name")
    if abs(day.year - at.year) > 2:
        raise Refused("bad_day", "只能改前后两年内的日子", "a day too far away", field="day")
    before = await store_calendar.of_company(tx, company_id, day)
    await store_calendar.put(tx, company_id, day, works, name)
    told = {"day": day, "works": works}
    await audit(tx, who, "calendar.change", f"company:{company_id}", before, told, name, at=at, company_id=company_id)
