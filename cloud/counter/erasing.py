"""Erasing a departed person (O-10, N-07): shown first, refused while anything is open, as one act; every chain still verifies.

What stays is what books and papers must keep: amounts, rooms, days, receipt numbers, the owner's number as a pseudonym. Requests
that a second person decided stay as they were written: they are the proof of who let money go, and fall under the same duty.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cloud.access.service import Principal, audit
from cloud.counter import store_erasing as store
from cloud.estate import service as estate
from cloud.fees import service as fees
from cloud.ledger import service as ledger
from cloud.shared.db import Tx
from protocols.errors import Refused
from protocols.money import yuan
from protocols.time import business_date


@dataclass(frozen=True, slots=True)
class Preview:
    """`open`: why it cannot be done yet; `goes`, `stays`: what it would do."""

    owner: estate.OwnerRecord
    open: tuple[str, ...]
    goes: tuple[str, ...]
    stays: tuple[str, ...]


async def preview(tx: Tx, owner_id: int, now: datetime) -> Preview:
    """NotFound `owner_not_found`."""
    owner = await estate.owner_record(tx, owner_id)
    named = await store.named(tx, owner.project_id, owner_id)
    cars = await estate.vehicles_of(tx, [owner_id], [])
    goes = [
        "姓名、曾用名、电话、证件号码、邮箱、地址、紧急联系人、开票资料和备注",
        f"账本里 {named['entries']} 笔分录上的姓名（收据以后显示“已删除”）",
    ]
    if cars:
        goes.append(f"{len(cars)} 辆车的登记")
    if named["refunds"]:
        goes.append(f"{named['refunds']} 笔退款上的姓名和收款账号")
    stays = ["收据和账目的金额、房号、日期、编号（会计凭证要保管）", f"业主编号 {owner.values.number}，作为代号"]
    if named["approvals"]:
        stays.append(f"{named['approvals']} 件审批当时写的内容（会计凭证要保管）")
    return Preview(owner, tuple(await _open(tx, owner, now)), tuple(goes), tuple(stays))


async def erase(tx: Tx, principal: Principal, owner_id: int, *, reason: str, now: datetime) -> int:
    """Do it; how many names in the ledger are gone. The same again changes nothing.

    NotFound `owner_not_found`; Refused `still_open` with what is open, `no_reason`, `still_here` of `estate.erase_owner`.
    """
    if len(reason.strip()) < 2:
        raise Refused("no_reason", "写一句依据，例如 本人书面申请 2026-11-20", "a reason is needed", field="reason")
    found = await preview(tx, owner_id, now)
    owner = found.owner
    if owner.status == "erased":
        return 0
    if found.open:
        raise Refused("still_open", f"还不能删除：{'；'.join(found.open)}", "something is still open", field="owner")
    pseudonym = f"业主 {owner.values.number}"
    by = f"{principal.number} {principal.name}"[:60]
    refunds = await store.forget_refunds(tx, owner.project_id, owner_id, owner.name, pseudonym)
    await estate.erase_owner(tx, owner_id, by=by, at=now)
    gone = await ledger.erase(tx, f"owner:{owner_id}")
    told = {"entries": gone, "refunds": refunds}
    await audit(
        tx, principal, "owner.erase", f"owner:{owner_id}", None, told, reason.strip()[:200], at=now,
        company_id=owner.company_id, project_id=owner.project_id,
    )  # fmt: skip
    return gone


async def _open(tx: Tx, owner: estate.OwnerRecord, now: datetime) -> list[str]:
    today = business_date(now)
    texts = []
    relations = await estate.rooms_of_owners(tx, [owner.id])
    rooms = sorted({one.room_code for one in relations if one.to_day is None or one.to_day > today})
    if rooms:
        texts.append(f"还登记在 {'、'.join(rooms[:5])}，先办迁出或过户")
    lines = await fees.open_lines_of_payer(tx, owner.project_id, owner.id, today)
    if lines:
        texts.append(f"有 {len(lines)} 笔费用没结清，共 {yuan(sum(line.due_fen for line in lines))} 元")
    held = await store.open_things(tx, owner.project_id, owner.id)
    if held["wallets"]:
        texts.append(f"预存还有 {yuan(held['wallets'])} 元")
    if held["deposits"]:
        texts.append(f"押金还有 {yuan(held['deposits'])} 元")
    if held["refunds"]:
        texts.append(f"退款还有 {yuan(held['refunds'])} 元没付")
    if held["approvals"]:
        texts.append(f"还有 {held['approvals']} 件审批在等")
    return texts
