"""A receipt held under the desk's scanner, or its number typed: whose it is, whether its check code is right (C-09, C-21)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cloud.counter import store, store_desk
from cloud.counter.domain import Receipt
from cloud.shared.db import Tx

_URL = re.compile(r"^HTTPS?://\S+?/R/(?P<book>[^/\s]{1,20})/(?P<number>\d{1,12})/(?P<code>[0-9A-Z]{8})/?$")
_PRINTED = re.compile(
    r"^(?:№\s*)?(?P<book>[A-Z][A-Z0-9-]{0,19}?)\s*(?P<number>\d{1,12})(?:\s+(?P<code>[0-9A-Z]{4}-?[0-9A-Z]{4}))?$"
)


@dataclass(frozen=True, slots=True)
class Paper:
    """A receipt that was scanned. `genuine`: its check code is right, or none was read."""

    receipt: Receipt
    genuine: bool


async def paper(tx: Tx, project_id: int, text: str) -> Paper | None:
    """The receipt of a project that a text names: the address of its QR code, or 'FQ-B 0031883', also with its check code."""
    plain = text.strip().upper()
    read = _URL.match(plain) or _PRINTED.match(plain)
    if read is None:
        return None
    found = await store_desk.by_paper(tx, project_id, read["book"], int(read["number"]))
    if found is None:
        return None
    (receipt,) = await store.receipts(tx, [found])
    code = (read["code"] or "").replace("-", "")
    return Paper(receipt, not code or code == receipt.check_code.replace("-", ""))
