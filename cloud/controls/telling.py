"""Headquarters' people hear of an incident: a message to each auditor and finance person who has a phone."""

from __future__ import annotations

from datetime import datetime

from cloud.controls import store_people
from cloud.controls.domain import number_of
from cloud.controls.service import Raised
from cloud.notices import service as notices
from cloud.shared.db import Tx
from protocols.money import yuan


async def tell_headquarters(tx: Tx, raised: Raised, now: datetime) -> None:
    """Queue it for everybody of headquarters who watches (U-02) and does not stand in it; a further finding is not told again."""
    if not raised.new:
        return
    found = raised.finding
    amount = f" {yuan(found.amount_fen)} 元" if found.amount_fen is not None else ""
    where = await store_people.project_name(tx, found.project_id)
    no = number_of(raised.control, now, raised.incident_id)
    text = f"【门房】告警 {no}：{where}{found.title}{amount}。{found.why}"[:400]
    for one in await store_people.watchers(tx):
        if one["number"] in found.persons:
            continue
        await notices.queue(
            tx,
            company_id=found.company_id if found.company_id is not None else one["any_company"],
            project_id=None,
            kind="alarm",
            to=notices.To(one["name"], one["phone"], user_id=one["id"]),
            text=text,
            channel="sms",
            subject=f"incident:{raised.incident_id}",
            money=False,
            not_before=now,
            key=f"incident:{raised.incident_id}:user:{one['id']}",
            reason=found.why[:200],
        )
