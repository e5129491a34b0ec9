"""Receipt books (票据本): registered by headquarters, assigned to a counter, used up, returned and counted (C-07, C-08, G-02)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from cloud.access.service import Principal, audit
from cloud.counter import store_books as store
from cloud.counter.store_books import BookView
from cloud.estate import service as estate
from cloud.shared.db import Tx
from protocols.errors import Conflict, NotFound, Refused

LOW = 50
"""So few numbers left: the counter says it in amber."""
_CODE = re.compile(r"^[A-Za-z0-9-]{1,40}$")
_LARGEST = 10**12


@dataclass(frozen=True, slots=True)
class NewBook:
    """A book by its code and numbers; `paper`: pre-printed, its receipts come in as late entries (C-22)."""

    project_id: int
    code: str
    first: int
    last: int
    terminal: str | None = None
    paper: bool = False


async def register(tx: Tx, who: Principal, new: NewBook, at: datetime) -> BookView:
    """Put a book on the register. The same again gives the same book.

    Refused `bad_code`, `bad_numbers`; Conflict `book_taken` (the code is another book's), `terminal_has_book`.
    """
    code = new.code.strip().upper()
    if not _CODE.fullmatch(code):
        raise Refused("bad_code", "票据本编号用字母、数字和横线，例如 FQ-C", "letters, digits and dashes", field="code")
    if not 0 < new.first <= new.last < _LARGEST:
        raise Refused("bad_numbers", "起号要大于 0，止号不小于起号", "bad first or last number", field="last")
    project = await estate.get_project(tx, new.project_id)
    terminal = (new.terminal or "").strip() or None
    if terminal and not new.paper:
        await _free(tx, project.id, terminal, None)
    facts = {
        "code": code, "kind": "paper" if new.paper else "counter", "first": new.first, "last": new.last, "terminal": terminal,
        "at": at, "by": f"{who.number} {who.name}",
    }  # fmt: skip
    made = await store.add(tx, project.id, facts)
    if made is None:
        raise Conflict("book_taken", f"已经有编号 {code} 的票据本", f"book {code} is registered", field="code")
    told = {"code": code, "first": new.first, "last": new.last, "terminal": terminal}
    await _audit(tx, who, "book.register", made, project.id, {}, told, at)
    return await get(tx, made)


async def assign(tx: Tx, who: Principal, book_id: int, terminal: str | None, at: datetime) -> BookView:
    """Give a book to a counter (None: to any of the project); a shift open there goes on with it.

    NotFound `book_not_found`; Refused `book_closed`, `book_full`; Conflict `terminal_has_book` while that one has numbers left.
    """
    await store.lock(tx, book_id)
    book = await get(tx, book_id)
    terminal = (terminal or "").strip() or None
    if book.state != "open" or book.kind != "counter":
        raise Refused("book_closed", "这个票据本已经交回，不能再领用", "the book is returned", field="book")
    if book.left_over == 0:
        raise Refused("book_full", "这个票据本已经用完", "the book is used up", field="book")
    if terminal:
        await _free(tx, book.project_id, terminal, book_id)
        await store.use_in_open_shift(tx, book.project_id, terminal, book_id)
    await store.assign(tx, book_id, terminal)
    await _audit(tx, who, "book.assign", book_id, book.project_id, {"terminal": book.terminal}, {"terminal": terminal}, at)
    return await get(tx, book_id)


async def give_back(tx: Tx, who: Principal, book_id: int, at: datetime) -> BookView:
    """Return a book: no number of it is taken any more. Refused `book_in_use` while a shift is open with it, `book_closed`."""
    await store.lock(tx, book_id)
    book = await get(tx, book_id)
    if book.state != "open":
        raise Refused("book_closed", "这个票据本已经交回过了", "the book is returned", field="book")
    where = await store.in_open_shift(tx, book_id)
    if where is not None:
        raise Refused("book_in_use", f"{where} 正在用这个票据本，交班后再交回", f"in use at {where}", field="book")
    await store.return_book(tx, book_id, f"{who.number} {who.name}", at)
    await _audit(tx, who, "book.return", book_id, book.project_id, {"state": book.state}, {"taken": book.taken}, at)
    return await get(tx, book_id)


async def count(tx: Tx, who: Principal, book_id: int, used: int, note: str, at: datetime) -> BookView:
    """Count a returned book: how many papers were used. A difference to the numbers taken needs a note and raises an alarm at
    once (C-08, G-02). Refused `book_open`, `bad_count`, `no_note`, `same_person`.
    """
    await store.lock(tx, book_id)
    book = await get(tx, book_id)
    if book.state != "returned":
        raise Refused("book_open", "先交回，再清点", "only a returned book is counted", field="book")
    if not 0 <= used <= (book.last_number or _LARGEST) - book.first_number + 1:
        raise Refused("bad_count", "清点张数超出这本的张数", "more papers than the book has", field="used")
    if book.returned_by and book.returned_by.split(" ")[0] == who.number:
        raise Refused("same_person", "交回的人不能自己清点", "somebody else counts", field="book")
    differs = used != book.used and book.kind != "paper"
    if (differs or book.missing) and len(note.strip()) < 2:
        raise Refused("no_note", "清点张数和已用号数不一样，写一句原因", "a difference needs a note", field="note")
    await store.count_book(tx, book_id, used, note.strip(), f"{who.number} {who.name}", at)
    if differs or book.missing:
        facts = {"project_id": book.project_id, "kind": "book_differs", "subject": f"book:{book_id}"}
        await tx.notify("alarm", facts | {"book": book.code, "used": used, "taken": book.used, "missing": book.missing})
    await _audit(tx, who, "book.count", book_id, book.project_id, {"used": book.used}, {"counted": used, "note": note}, at)
    return await get(tx, book_id)


async def get(tx: Tx, book_id: int) -> BookView:
    """NotFound `book_not_found`, also outside the scope."""
    found = await store.books(tx, book_id=book_id) if 0 < book_id < 2**31 else []
    if not found:
        raise NotFound("book_not_found", "没有这个票据本", f"no book {book_id}", field="book")
    return found[0]


async def _free(tx: Tx, project_id: int, terminal: str, book_id: int | None) -> None:
    """A counter whose book is used up takes another; one with numbers left keeps it."""
    there = await store.open_at(tx, project_id, terminal)
    if there is None or there == book_id:
        return
    old = await get(tx, there)
    if old.left_over != 0:
        zh = f"{terminal} 的票据本 {old.code} 还没用完，先交回"
        raise Conflict("terminal_has_book", zh, f"{terminal} has book {old.code}", field="terminal")
    await store.assign(tx, there, None)


async def _audit(
    tx: Tx, who: Principal, action: str, book_id: int, project_id: int, before: dict[str, object], after: dict[str, object],
    at: datetime,
) -> None:  # fmt: skip
    company = (await estate.get_project(tx, project_id)).company_id
    await audit(tx, who, action, f"book:{book_id}", before, after, "", at=at, company_id=company, project_id=project_id)
