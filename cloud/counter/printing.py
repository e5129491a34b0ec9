"""Printing a receipt: the first print is the original, each further one a reprint, counted (C-09, C-10)."""

from __future__ import annotations

from datetime import datetime

from cloud.counter import store
from cloud.counter.domain import Receipt
from cloud.counter.paper import Print, Sheet, render
from cloud.counter.shifts import Person, shift_no
from cloud.estate import service as estate
from cloud.shared.db import Tx
from protocols.errors import NotFound


async def receipt(tx: Tx, receipt_id: int) -> Receipt:
    """NotFound `receipt_not_found` inside the scope."""
    found = await store.receipts(tx, [receipt_id])
    if not found:
        raise NotFound("receipt_not_found", "没有这张收据", f"no receipt {receipt_id}", field="receipt")
    return found[0]


async def print_receipt(tx: Tx, receipt_id: int, person: Person, at: datetime, public_url: str) -> bytes:
    """The PDF, A5 landscape; the print is recorded. `public_url`: where the QR code leads."""
    found = await receipt(tx, receipt_id)
    project = await estate.get_project(tx, found.draft.project_id)
    shift = await store.shift(tx, found.draft.shift_id) if found.draft.shift_id else None
    n = await store.add_print(tx, receipt_id, at, person.number, person.name)
    code = found.check_code.replace("-", "")
    return render(
        Sheet(
            entity=project.company_name,
            project=project.name,
            receipt=found,
            shift_no=shift_no(shift) if shift else None,
            area=await estate.room_area(tx, found.draft.room_id) if found.draft.room_id else None,
            verify_url=f"{public_url.rstrip('/')}/r/{found.book}/{found.number}/{code}",
            print=Print(n, person.name, at),
        )
    )
