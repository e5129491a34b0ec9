"""Receipt books: registered, assigned, used up, returned, counted; a missing number is named (C-07, C-08, G-02)."""

from __future__ import annotations

import asyncio

import pytest

from cloud.counter import books, desk
from cloud.counter import service as counter
from protocols.errors import Conflict, NotFound, Refused
from tests.support.approvals import person
from tests.support.cash import alarm
from tests.support.counter import at_counter, proved
from tests.support.money import EAST, NOON, bill, line


@pytest.fixture
async def stand(hub):
    return await at_counter(hub)


async def register(stand, code: str = "FQ-C", first: int = 101, last: int = 102, terminal: str | None = "窗口 1", **more):
    async with stand.db.tx(EAST) as tx:
        return await books.register(tx, stand.finance, books.NewBook(11, code, first, last, terminal, **more), NOON)


async def use(stand, book: int, terminal: str | None = "窗口 1"):
    async with stand.db.tx(EAST) as tx:
        return await books.assign(tx, stand.finance, book, terminal, NOON)


async def paid(stand, room: int, key: str) -> counter.Receipt:
    async with stand.db.tx(EAST) as tx:
        lines = await bill(tx, line(room, 1_000))
    return await stand.pay(stand.wanted(room, lines, 1_000, key=key))


async def test_a_registered_book_is_used_up_and_the_next_goes_on(stand):
    """C-08: from its first to its last number; then the payment is refused whole and says what to do."""
    first = await register(stand)
    await use(stand, first.book_id)
    assert [(await paid(stand, room, f"key-{room:04d}")).no for room in (101, 102)] == ["FQ-C 0000101", "FQ-C 0000102"]
    with pytest.raises(Refused, match="book_full"):
        await paid(stand, 103, "key-0103")
    async with stand.db.tx(EAST) as tx:
        place = await desk.desk_of(tx, stand.cashier.user_id)
        assert (place.progress.left, place.next_no) == (0, None)
    second = await register(stand, "FQ-D", 1, 10)
    await use(stand, second.book_id)
    receipt = await stand.pay(stand.wanted(103, await open_of(stand, 103), 1_000, key="key-0104"))
    assert receipt.no == "FQ-D 0000001"
    async with stand.db.tx(EAST) as tx:
        place = await desk.desk_of(tx, stand.cashier.user_id)
    assert (place.progress.left, place.next_no) == (9, "FQ-D 0000002")
    assert (await proved(stand.db))["counter"] == 3


async def open_of(stand, room: int) -> list[int]:
    async with stand.db.tx(EAST) as tx:
        return [one.id for one in await counter.open_lines(tx, 11, room, NOON)]


async def test_a_shift_takes_its_counters_book(stand, hub):
    """C-08: assigned to project and counter."""
    await register(stand, "FQ-E", 1, 50, "窗口 7")
    other = await person(hub, "0207", "cashier")
    async with stand.db.tx(EAST) as tx:
        shift = await counter.open_shift(
            tx, project_id=11, person=counter.Person(other.user_id, "0207", "x"), terminal="窗口 7", float_fen=0, at=NOON
        )
    assert shift.book.code == "FQ-E"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"first": 0}, "bad_numbers"),
        ({"first": 5, "last": 4}, "bad_numbers"),
        ({"code": "本 1"}, "bad_code"),
        ({"code": ""}, "bad_code"),
        ({"code": "fq-b"}, "book_taken"),
    ],
)
async def test_what_is_no_book_is_refused(stand, more, code):
    with pytest.raises((Refused, Conflict), match=code):
        await register(stand, **more)


async def test_a_counter_has_one_book_until_it_is_used_up(stand):
    one = await register(stand)
    with pytest.raises(Conflict, match="terminal_has_book"):
        await register(stand, "FQ-D")
    other = await register(stand, "FQ-D", terminal=None)
    with pytest.raises(Conflict, match="terminal_has_book"):
        await use(stand, other.book_id)
    async with stand.db.tx(EAST) as tx:
        with pytest.raises(NotFound, match="book_not_found"):
            await books.get(tx, 999_999)
    assert (await use(stand, one.book_id, None)).terminal is None
    assert (await use(stand, other.book_id)).terminal == "窗口 1"


async def test_a_book_is_returned_after_the_shift_and_counted_by_somebody_else(stand, listening):
    """C-08: a difference needs a note and alarms the same day."""
    book = await register(stand, last=150)
    await use(stand, book.book_id)
    await paid(stand, 101, "key-0101")
    async with stand.db.tx(EAST) as tx:
        with pytest.raises(Refused, match="book_in_use"):
            await books.give_back(tx, stand.cashier, book.book_id, NOON)
        with pytest.raises(Refused, match="book_open"):
            await books.count(tx, stand.finance, book.book_id, 1, "", NOON)
        await tx.execute("UPDATE shifts SET closed_at = %s", (NOON,))
        assert (await books.give_back(tx, stand.cashier, book.book_id, NOON)).state == "returned"
        with pytest.raises(Refused, match="book_closed"):
            await books.assign(tx, stand.finance, book.book_id, "窗口 1", NOON)
        with pytest.raises(Refused, match="same_person"):
            await books.count(tx, stand.cashier, book.book_id, 1, "", NOON)
        for used in (-1, 51):
            with pytest.raises(Refused, match="bad_count"):
                await books.count(tx, stand.finance, book.book_id, used, "", NOON)
        with pytest.raises(Refused, match="no_note"):
            await books.count(tx, stand.finance, book.book_id, 3, "", NOON)
    async with listening() as heard:
        async with stand.db.tx(EAST) as tx:
            counted = await books.count(tx, stand.finance, book.book_id, 3, "两张作废的纸没有号", NOON)
        _, told = await alarm(heard)
    assert (counted.state, counted.counted_used, counted.used) == ("counted", 3, 1)
    assert (told["kind"], told["used"], told["taken"]) == ("book_differs", 3, 1)
    await proved(stand.db)


async def test_a_returned_book_gives_no_number(stand, money_admin):
    """C-07: also when somebody is just paying."""
    book = await register(stand, last=150)
    await use(stand, book.book_id)
    money_admin.execute("UPDATE receipt_books SET state = 'returned'")
    with pytest.raises(Refused, match="book_full"):
        await paid(stand, 101, "key-0101")
    assert (await proved(stand.db))["counter"] == 0


async def test_two_counters_on_one_book_never_collide(stand, hub):
    """C-07: twenty payments at once, numbers without gap or double."""
    book = await register(stand, "FQ-E", 1, 50, None)
    other = await person(hub, "0207", "cashier")
    async with stand.db.tx(EAST) as tx:
        shift = await counter.open_shift(
            tx, project_id=11, person=counter.Person(other.user_id, "0207", "x"), terminal="窗口 7", float_fen=0, at=NOON
        )
        await tx.execute("UPDATE shifts SET book_id = %s", (book.book_id,))
        lines = [(await bill(tx, line(room, 1_000)))[0] for room in range(101, 121)]

    async def pay(number: int, one: int) -> counter.Receipt:
        room = 101 + number
        wanted = stand.wanted(room, [one], 1_000, key=f"key-{room:04d}")
        if number % 2:
            return await stand.pay(wanted)
        theirs = counter.CollectRequest(11, room, (one,), wanted.offers, 1_000, wanted.key, shift.id, "窗口 7")
        async with stand.db.tx(EAST) as tx:
            return await counter.collect(tx, theirs, counter.Person(other.user_id, "0207", "x"), NOON)

    done = await asyncio.gather(*(pay(number, one) for number, one in enumerate(lines)))
    assert sorted(one.number for one in done) == list(range(1, 21))
    await proved(stand.db)


async def test_a_lost_receipt_shows_as_missing(stand, money_admin):
    """C-08, G-02"""
    await paid(stand, 101, "key-0101")
    await paid(stand, 102, "key-0102")
    money_admin.tamper(
        "DELETE FROM receipt_tenders WHERE receipt_id = 1; DELETE FROM receipt_lines WHERE receipt_id = 1;"
        "DELETE FROM receipts WHERE id = 1"
    )
    async with stand.db.tx(EAST) as tx:
        (book,) = [one for one in await books.store.books(tx, [11]) if one.code == "FQ-B"]
        assert (book.missing, book.used) == (1, 2)
        assert {one.what for one in (await counter.verify(tx)).faults} >= {"receipt", "gap"}


async def test_the_page_and_json_of_books(stand, hub_client):
    """C-08: headquarters registers, the project returns, headquarters counts."""
    await hub_client.log_in("hq_finance")
    body = {"project": 11, "code": "FQ-K", "first": 1, "last": 60, "terminal": "窗口 8"}
    made = (await hub_client.post("/api/v1/counter/books", json=body)).json()
    assert (made["code"], made["left_over"], made["state"]) == ("FQ-K", 60, "open")
    again = await hub_client.post("/api/v1/counter/books", json=body)
    assert again.status_code == 409
    page = (await hub_client.get("/books?at=p11")).text
    assert "FQ-K" in page and "登记票据本" in page and "窗口 8" in page
    csrf = hub_client.headers["x-csrf-token"]
    form = {"csrf": csrf, "project": "11", "code": "FQ-L", "first": "9", "last": "5"}
    assert (await hub_client.post("/books?at=p11", data=form)).status_code == 422
    cashier = hub_client.another()
    await cashier.log_in("cashier", project=11)
    assert "登记票据本" not in (await cashier.get("/books")).text
    answer = await cashier.post(f"/books/{made['book_id']}/return", data={"csrf": cashier.headers["x-csrf-token"]})
    assert answer.status_code == 303
    counted = await hub_client.post(f"/api/v1/counter/books/{made['book_id']}/count", json={"used": 0})
    assert counted.json()["state"] == "counted", counted.text
