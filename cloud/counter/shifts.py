"""Shifts: no payment is taken by a person without one (C-30)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cloud.counter import store
from cloud.counter.store import Shift
from cloud.estate import service as estate
from cloud.shared.db import Tx
from protocols.errors import Conflict
from protocols.money import Fen
from protocols.time import civil


@dataclass(frozen=True, slots=True)
class Person:
    """Who stands at the counter."""

    user_id: int
    number: str
    name: str


def shift_no(shift: Shift) -> str:
    """As printed: 'BC-1124-12'."""
    return f"BC-{civil(shift.opened_at):%m%d}-{shift.id:02d}"


async def open_shift(tx: Tx, *, project_id: int, person: Person, terminal: str, float_fen: Fen, at: datetime) -> Shift:
    """Open a shift of one person at one terminal (C-30). Opening the same again returns the open one.

    NotFound `project_not_found`; Conflict `shift_open` when the person works elsewhere, `terminal_taken` by somebody else.
    """
    project = await estate.get_project(tx, project_id)
    mine = await store.open_shift_of(tx, person.user_id)
    if mine is None:
        book = await store.ensure_book(tx, project_id, f"{project.code.upper()}-B", "counter")
        if book is None:
            raise Conflict("book_taken", "票据本的编号被别的项目占用", f"book {project.code.upper()}-B belongs elsewhere")
        user = (person.user_id, person.number, person.name)
        await store.add_shift(tx, project_id, user, terminal, book, float_fen, at)
        mine = await store.open_shift_of(tx, person.user_id)
    if mine is not None and (mine.project_id, mine.terminal) == (project_id, terminal):
        return mine
    if mine is not None:
        raise Conflict(
            "shift_open", f"您在 {mine.terminal} 还有一个没交的班", f"a shift is open at {mine.terminal}", field="terminal"
        )
    other = await store.open_shift_at(tx, project_id, terminal)
    who = other.user_name if other else "别人"
    raise Conflict("terminal_taken", f"{terminal} 正由 {who} 当班", f"{terminal} is taken", field="terminal")
