"""The page of receipt books (票据本): which are in use where, what is left, returned ones counted (C-08)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from cloud.access.service import Principal, page_user
from cloud.counter import books, store_books
from cloud.shared.forms import Form
from cloud.shared.pages import console, render
from cloud.shared.places import scope_of
from protocols.errors import Refused

router = APIRouter(include_in_schema=False)

Reader = Annotated[Principal, Depends(page_user("book.read"))]
Writer = Annotated[Principal, Depends(page_user("book.write"))]
Returner = Annotated[Principal, Depends(page_user("slip.write"))]
Id = Annotated[int, Path(ge=1, lt=2**31)]


@router.get("/books")
async def listed(request: Request, user: Reader) -> HTMLResponse:
    return await _list(request, user, Form())


async def _list(request: Request, user: Principal, form: Form) -> HTMLResponse:
    async with request.app.state.hub.db.tx(user.scope) as tx:
        where = await scope_of(request, user, tx)
        found = await store_books.books(tx, where.ids)
    shell = console(user, where, "/books")
    return render(
        request, "counter/books.html", status=200 if form.ok else 422, **shell, form=form, books=found, low=books.LOW,
        only=where.only,
    )  # fmt: skip


@router.post("/books")
async def register(request: Request, user: Writer) -> Response:
    """Put a book on the register."""
    hub = request.app.state.hub
    form = Form(await request.form())
    project, code = form.number("project", need=True), form.text("code", need=True)
    first, last = form.number("first", need=True), form.number("last", need=True)
    if form.ok and project and first and last:
        new = books.NewBook(project, code, first, last, form.text("terminal") or None, form.text("kind") == "paper")
        try:
            async with hub.db.tx(user.scope) as tx:
                await books.register(tx, user, new, hub.clock.now())
            return RedirectResponse(f"/books?at=p{project}", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _list(request, user, form)


@router.post("/books/{book_id}/assign")
async def assign(request: Request, user: Writer, book_id: Id) -> Response:
    """Give a book to a counter."""
    form = Form(await request.form())
    hub = request.app.state.hub
    try:
        async with hub.db.tx(user.scope) as tx:
            await books.assign(tx, user, book_id, form.text("terminal") or None, hub.clock.now())
    except Refused as problem:
        form.refuse(problem)
        return await _list(request, user, form)
    return RedirectResponse("/books", 303)


@router.post("/books/{book_id}/return")
async def give_back(request: Request, user: Returner, book_id: Id) -> Response:
    """Return a book that is used up or not needed."""
    form = Form(await request.form())
    hub = request.app.state.hub
    try:
        async with hub.db.tx(user.scope) as tx:
            await books.give_back(tx, user, book_id, hub.clock.now())
    except Refused as problem:
        form.refuse(problem)
        return await _list(request, user, form)
    return RedirectResponse("/books", 303)


@router.post("/books/{book_id}/count")
async def count(request: Request, user: Writer, book_id: Id) -> Response:
    """Count a returned book."""
    form = Form(await request.form())
    hub = request.app.state.hub
    used = form.number("used", need=True)
    if used is not None:
        try:
            async with hub.db.tx(user.scope) as tx:
                await books.count(tx, user, book_id, used, form.text("note"), hub.clock.now())
            return RedirectResponse("/books", 303)
        except Refused as problem:
            form.refuse(problem)
    return await _list(request, user, form)
