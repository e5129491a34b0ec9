"""SQL of receipt books: registered, assigned, returned, counted (C-08)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.counter.store import Book
from cloud.shared.db import Tx


@dataclass(frozen=True, slots=True)
class BookView:
    """A book as the list shows it. `left_over` None: without a last number; `missing`: numbers taken without a receipt."""

    book_id: int
    project_id: int
    code: str
    kind: str
    terminal: str | None
    first_number: int
    last_number: int | None
    taken: int
    state: str
    state_at: datetime | None
    registered_at: datetime | None
    registered_by: str | None
    returned_by: str | None
    counted_by: str | None
    counted_used: int | None
    counted_note: str | None
    left_over: int | None
    missing: int

    @property
    def used(self) -> int:
        return max(self.taken - self.first_number + 1, 0)


async def books(tx: Tx, projects: Sequence[int] | None = None, *, book_id: int | None = None) -> list[BookView]:
    """Books of some projects (None: all in scope), newest first, those in use before the rest."""
    rows = await tx.fetch_all(
        """
        SELECT book_id, project_id, code, kind, terminal, first_number, last_number, taken, state, state_at, registered_at,
               registered_by, returned_by, counted_by, counted_used, counted_note, left_over, missing
        FROM report_books WHERE (%(projects)s::int[] IS NULL OR project_id = ANY(%(projects)s))
          AND (%(book)s::int IS NULL OR book_id = %(book)s)
        ORDER BY project_id, state <> 'open', book_id DESC
        """,
        {"projects": None if projects is None else list(projects), "book": book_id},
    )
    return [BookView(**row) for row in rows]


async def add(tx: Tx, project_id: int, facts: dict[str, Any]) -> int | None:
    """The new book's id; None when the code is taken in the company."""
    row = await tx.fetch_one(
        """
        INSERT INTO receipt_books (company_id, project_id, code, kind, first_number, last_number, taken, terminal, registered_at,
                                   registered_by)
        SELECT company_id, id, %(code)s, %(kind)s, %(first)s, %(last)s, 0, %(terminal)s, %(at)s, %(by)s
        FROM projects WHERE id = %(project)s
        ON CONFLICT (company_id, code) DO NOTHING RETURNING id
        """,
        facts | {"project": project_id},
    )
    return None if row is None else int(row["id"])


async def lock(tx: Tx, book_id: int) -> None:
    """Nobody takes a number of it or changes it meanwhile."""
    await tx.execute("SELECT FROM receipt_books WHERE id = %s FOR UPDATE", (book_id,))


async def open_at(tx: Tx, project_id: int, terminal: str) -> int | None:
    """The book in use that is assigned to a counter."""
    row = await tx.fetch_one(
        "SELECT id FROM receipt_books WHERE project_id = %s AND terminal = %s AND kind = 'counter' AND state = 'open'",
        (project_id, terminal),
    )
    return None if row is None else int(row["id"])


async def assign(tx: Tx, book_id: int, terminal: str | None) -> None:
    await tx.execute("UPDATE receipt_books SET terminal = %s WHERE id = %s", (terminal, book_id))


async def use_in_open_shift(tx: Tx, project_id: int, terminal: str, book_id: int) -> int:
    """The shift that is open at a counter goes on with another book; how many shifts (0 or 1)."""
    return await tx.execute(
        "UPDATE shifts SET book_id = %s WHERE project_id = %s AND terminal = %s AND closed_at IS NULL",
        (book_id, project_id, terminal),
    )


async def in_open_shift(tx: Tx, book_id: int) -> str | None:
    """At which counter a shift is open with this book."""
    row = await tx.fetch_one("SELECT terminal FROM shifts WHERE book_id = %s AND closed_at IS NULL LIMIT 1", (book_id,))
    return None if row is None else str(row["terminal"])


async def return_book(tx: Tx, book_id: int, by: str, at: datetime) -> None:
    await tx.execute(
        "UPDATE receipt_books SET state = 'returned', state_at = %s, returned_by = %s, terminal = NULL WHERE id = %s",
        (at, by, book_id),
    )


async def count_book(tx: Tx, book_id: int, used: int, note: str, by: str, at: datetime) -> None:
    await tx.execute(
        "UPDATE receipt_books SET state = 'counted', state_at = %s, counted_by = %s, counted_used = %s, counted_note = %s"
        " WHERE id = %s",
        (at, by, used, note, book_id),
    )


async def usable(tx: Tx, project_id: int, terminal: str) -> Book | None:
    """The book a shift at a counter takes: its own, else one of the project without a counter, with numbers left."""
    row = await tx.fetch_one(
        """
        SELECT id, code FROM receipt_books
        WHERE project_id = %s AND kind = 'counter' AND state = 'open' AND (terminal = %s OR terminal IS NULL)
          AND (last_number IS NULL OR taken < last_number)
        ORDER BY terminal NULLS LAST, id LIMIT 1
        """,
        (project_id, terminal),
    )
    return None if row is None else Book(**row)


async def faults(tx: Tx) -> list[dict[str, Any]]:
    """Books with numbers that have no receipt, returned ones nobody counted, and counts that differ (G-02)."""
    return await tx.fetch_all(
        """
        SELECT project_id, book_id, code, state, missing, taken - first_number + 1 AS used, counted_used, state_at
        FROM report_books
        WHERE missing <> 0 OR state = 'returned'
           OR state = 'counted' AND counted_used IS DISTINCT FROM greatest(taken - first_number + 1, 0)
        ORDER BY project_id, code
        """,
        (),
    )
