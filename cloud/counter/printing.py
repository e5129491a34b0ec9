"""Printing a receipt: the first is the original, each further one a counted reprint (C-09, C-10); a sample has no number."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from cloud.access.service import setting
from cloud.counter import store
from cloud.counter.domain import Draft, Receipt, ReceiptLine, Tender
from cloud.counter.paper_forms import render
from cloud.counter.paper_words import PAPERS, Paper, Print, Sheet, Template
from cloud.counter.shifts import Person, shift_no
from cloud.estate import service as estate
from cloud.shared.db import Tx
from protocols.errors import NotFound, Refused
from protocols.time import business_date

TEMPLATE = "receipt.template"
PAPER_COOKIE = "gh_paper"
"""What a terminal prints on, where it is not the company's usual paper: its browser keeps it."""


def paper_of(cookies: Mapping[str, str]) -> str:
    """The terminal's own paper; empty for the company's."""
    found = cookies.get(PAPER_COOKIE, "")
    return found if found in PAPERS else ""


async def receipt(tx: Tx, receipt_id: int) -> Receipt:
    """NotFound `receipt_not_found` inside the scope."""
    found = await store.receipts(tx, [receipt_id])
    if not found:
        raise NotFound("receipt_not_found", "没有这张收据", f"no receipt {receipt_id}", field="receipt")
    return found[0]


async def template_of(tx: Tx, company_id: int, paper: str | None = None) -> Template:
    """The company's form, on another paper where one is asked for. Refused `bad_paper`."""
    told: Mapping[str, Any] = await setting(tx, TEMPLATE, company_id) or {}
    usual = Template()
    wanted = paper or told.get("paper", usual.paper)
    if wanted not in PAPERS:
        raise Refused("bad_paper", f"没有这种纸：{wanted}", f"no paper {wanted}", field="paper")
    texts = {name: str(told.get(name, getattr(usual, name)))[:120] for name in ("title", "note", "foot")}
    return Template(cast(Paper, wanted), **texts)


async def print_receipt(
    tx: Tx, receipt_id: int, person: Person, at: datetime, public_url: str, paper: str | None = None
) -> bytes:
    """The PDF on the company's paper or another; the print is recorded. `public_url`: where the QR code leads."""
    found = await receipt(tx, receipt_id)
    project = await estate.get_project(tx, found.draft.project_id)
    template = await template_of(tx, project.company_id, paper)
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
            template=template,
        )
    )


async def sample(tx: Tx, project_id: int, person: Person, at: datetime, paper: str | None = None) -> bytes:
    """A test print on the company's form: no number, no entry, and it says so (样张不占号, UI.md 17)."""
    project = await estate.get_project(tx, project_id)
    day = business_date(at)
    month = day.replace(day=1)
    lines = [
        ReceiptLine(None, "property", "物业费", "样张", month, day, "100.00 ㎡ × 2.35 元 × 1 个月", 23_500, 120),
        ReceiptLine(None, "water", "水费（代收）", "样张", month, day, "10 吨 × 3.20 元", 3_200, 0),
    ]
    draft = Draft(
        project_id=project_id, kind="counter", at=at, arrived_at=at, business_date=day, room_id=None, object="样张", lines=lines,
        tenders=[Tender("cash", 30_000, 26_820)], change_fen=3_180, cashier=person.number, cashier_name=person.name,
        shift_id=None, terminal="测试打印",
    )  # fmt: skip
    made = Receipt(0, "样张", 0, 0, 0, "0" * 64, draft, "样张")
    template = await template_of(tx, project.company_id, paper)
    return render(
        Sheet(project.company_name, project.name, made, None, None, "", Print(1, person.name, at), template, sample=True)
    )
