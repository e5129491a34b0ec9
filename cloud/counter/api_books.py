"""JSON of receipt books (C-08)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from cloud.access.service import Principal, require
from cloud.counter import books, store_books
from cloud.counter.store_books import BookView
from protocols.time import iso

router = APIRouter()

Reader = Annotated[Principal, Depends(require("book.read"))]
Writer = Annotated[Principal, Depends(require("book.write"))]
Returner = Annotated[Principal, Depends(require("slip.write"))]
Id = Annotated[int, Path(ge=1, lt=2**31)]
_TEXT = r"^[^\x00-\x1f]*$"


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BookInput(_Input):
    project: int
    code: str = Field(min_length=1, max_length=40, pattern=_TEXT)
    first: int
    last: int
    terminal: str | None = Field(default=None, max_length=40, pattern=_TEXT)
    paper: bool = False


class AssignInput(_Input):
    terminal: str | None = Field(default=None, max_length=40, pattern=_TEXT)


class CountInput(_Input):
    used: int
    note: str = Field(default="", max_length=200, pattern=_TEXT)


@router.get("/api/v1/counter/books")
async def listed(request: Request, user: Reader, project: int | None = None) -> dict[str, Any]:
    """Books with what was taken, what is left, what is missing."""
    async with request.app.state.hub.db.tx(user.scope) as tx:
        found = await store_books.books(tx, None if project is None else [project])
    return {"books": [_told(one) for one in found]}


@router.post("/api/v1/counter/books")
async def register(body: BookInput, request: Request, user: Writer) -> dict[str, Any]:
    hub = request.app.state.hub
    new = books.NewBook(body.project, body.code, body.first, body.last, body.terminal, body.paper)
    async with hub.db.tx(user.scope) as tx:
        return _told(await books.register(tx, user, new, hub.clock.now()))


@router.post("/api/v1/counter/books/{book_id}/assign")
async def assign(book_id: Id, body: AssignInput, request: Request, user: Writer) -> dict[str, Any]:
    """To a counter; a shift open there goes on with it."""
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return _told(await books.assign(tx, user, book_id, body.terminal, hub.clock.now()))


@router.post("/api/v1/counter/books/{book_id}/return")
async def give_back(book_id: Id, request: Request, user: Returner) -> dict[str, Any]:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return _told(await books.give_back(tx, user, book_id, hub.clock.now()))


@router.post("/api/v1/counter/books/{book_id}/count")
async def count(book_id: Id, body: CountInput, request: Request, user: Writer) -> dict[str, Any]:
    hub = request.app.state.hub
    async with hub.db.tx(user.scope) as tx:
        return _told(await books.count(tx, user, book_id, body.used, body.note, hub.clock.now()))


def _told(book: BookView) -> dict[str, Any]:
    times = {name: iso(at) if at else None for name, at in (("state_at", book.state_at), ("registered_at", book.registered_at))}
    return asdict(book) | times
