"""SQL of the counter's page: what a shift has taken so far, and a receipt by what its paper says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cloud.shared.db import Database, Tx


@dataclass(frozen=True, slots=True)
class Progress:
    """A shift so far: how many receipts, the number its book gives next, how many are left (None: no last number)."""

    receipts: int
    next_number: int
    left: int | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A genuine receipt as the public page shows it: nothing of the payer."""

    receipt_id: int
    entity: str
    project: str
    at: datetime
    total_fen: int
    object: str
    reversed: bool
    prints: int


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A payment whose result is not known yet: the provider has not answered, or what it said did not fit (C-14)."""

    order_no: str
    purpose: str
    subject: str
    amount_fen: int
    state: str
    created_at: datetime


async def unsettled(tx: Tx, project_id: int, since: datetime) -> list[Unsettled]:
    """Newest first, at most five."""
    rows = await tx.fetch_all(
        """
        SELECT order_no, purpose, subject, amount_fen, state, created_at FROM payment_orders
        WHERE project_id = %s AND state IN ('paying', 'unknown') AND created_at >= %s ORDER BY created_at DESC LIMIT 5
        """,
        (project_id, since),
    )
    return [Unsettled(**row) for row in rows]


async def progress(tx: Tx, shift_id: int) -> Progress:
    row = await tx.fetch_one(
        """
        SELECT greatest(b.taken + 1, b.first_number) AS next_number,
               CASE WHEN b.state = 'open' THEN b.last_number - greatest(b.taken, b.first_number - 1) ELSE 0 END AS left,
               (SELECT count(*) FROM receipts r WHERE r.shift_id = s.id) AS receipts
        FROM shifts s JOIN receipt_books b ON b.id = s.book_id WHERE s.id = %s
        """,
        (shift_id,),
    )
    assert row is not None
    return Progress(**row)


async def last_of_shift(tx: Tx, shift_id: int, limit: int) -> list[int]:
    """The newest receipts of a shift, by id."""
    rows = await tx.fetch_all("SELECT id FROM receipts WHERE shift_id = %s ORDER BY id DESC LIMIT %s", (shift_id, limit))
    return [row["id"] for row in rows]


async def by_paper(tx: Tx, project_id: int, book: str, number: int) -> int | None:
    """The receipt of a project with this number in the book of this code, in capitals; None for none."""
    row = await tx.fetch_one(
        """
        SELECT r.id FROM receipt_books b JOIN receipts r ON r.book_id = b.id
        WHERE b.project_id = %s AND upper(b.code) = %s AND r.number = %s
        """,
        (project_id, book, number),
    )
    return None if row is None else int(row["id"])


async def deposit_items(tx: Tx, company_id: int) -> list[tuple[str, str]]:
    """(code, name) of a company's deposit items in use."""
    rows = await tx.fetch_all(
        "SELECT code, name FROM fee_items WHERE company_id = %s AND category = 'deposit' AND active ORDER BY print_order, code",
        (company_id,),
    )
    return [(row["code"], row["name"]) for row in rows]


async def by_code(db: Database, book: str, number: int, prefix: bytes) -> Checked | None:
    """A receipt whose entry's hash begins with these five bytes; needs no log-in."""
    row = await db.call("SELECT * FROM receipt_by_code(%s, %s, %s)", (book, number, prefix))
    return None if row is None else Checked(**row)
