"""SQL of books, shifts and receipts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from cloud.counter.domain import Because, Draft, Receipt, ReceiptLine, Ref, Tender
from cloud.ledger.service import Sealed
from cloud.shared.db import Tx


@dataclass(frozen=True, slots=True)
class Book:
    """A receipt book by its id and the code printed before the number."""

    id: int
    code: str


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift tied to one person and one terminal (C-30)."""

    id: int
    project_id: int
    user_id: int
    user_number: str
    user_name: str
    terminal: str
    book: Book
    float_fen: int
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Posted:
    """The answer of `counter_post`."""

    outcome: str
    receipt_id: int | None
    number: int | None
    entry: tuple[int, int, str, date] | None


_SHIFT = """
    SELECT s.id, s.project_id, s.user_id, s.user_number, s.user_name, s.terminal, s.book_id, b.code, s.float_fen, s.opened_at,
           s.closed_at
    FROM shifts s JOIN receipt_books b ON b.id = s.book_id
"""


async def open_shift_of(tx: Tx, user_id: int) -> Shift | None:
    row = await tx.fetch_one(_SHIFT + " WHERE s.user_id = %s AND s.closed_at IS NULL", (user_id,))
    return None if row is None else _shift(row)


async def open_shift_at(tx: Tx, project_id: int, terminal: str) -> Shift | None:
    row = await tx.fetch_one(
        _SHIFT + " WHERE s.project_id = %s AND s.terminal = %s AND s.closed_at IS NULL", (project_id, terminal)
    )
    return None if row is None else _shift(row)


async def shift(tx: Tx, shift_id: int) -> Shift | None:
    row = await tx.fetch_one(_SHIFT + " WHERE s.id = %s", (shift_id,))
    return None if row is None else _shift(row)


async def add_shift(
    tx: Tx, project_id: int, user: tuple[int, str, str], terminal: str, book: Book, float_fen: int, at: datetime
) -> int | None:
    """The new shift's id; None when a shift of this person or at this terminal was opened meanwhile."""
    row = await tx.fetch_one(
        """
        INSERT INTO shifts (company_id, project_id, user_id, user_number, user_name, terminal, book_id, float_fen, opened_at)
        SELECT company_id, id, %s, %s, %s, %s, %s, %s, %s FROM projects WHERE id = %s
        ON CONFLICT DO NOTHING RETURNING id
        """,
        (*user, terminal, book.id, float_fen, at, project_id),
    )
    return None if row is None else int(row["id"])


def _shift(row: dict[str, Any]) -> Shift:
    book = Book(row.pop("book_id"), row.pop("code"))
    return Shift(book=book, **row)


async def ensure_book(tx: Tx, project_id: int, code: str, kind: str) -> Book | None:
    """A project's book by its code, made when it is not there; None when the code belongs to another project."""
    sql = "SELECT id, code FROM receipt_books WHERE code = %s AND project_id = %s AND kind = %s"
    row = await tx.fetch_one(sql, (code, project_id, kind))
    if row is None:
        await tx.execute(
            """
            INSERT INTO receipt_books (company_id, project_id, code, kind)
            SELECT company_id, id, %s, %s FROM projects WHERE id = %s
            ON CONFLICT (company_id, code) DO NOTHING
            """,
            (code, kind, project_id),
        )
        row = await tx.fetch_one(sql, (code, project_id, kind))
    return None if row is None else Book(**row)


async def post(
    tx: Tx, sealed: Sealed, draft: Draft, *, subject: str | None, book_id: int, number: int | None, key: str, fingerprint: str
) -> Posted:
    """`counter_post`: number, entry and receipt in one round trip."""
    request = sealed.request
    head = {
        "room_id": draft.room_id,
        "object": draft.object,
        "total_fen": draft.total_fen,
        "change_fen": draft.change_fen,
        "cashier": draft.cashier,
        "cashier_name": draft.cashier_name,
        "shift_id": draft.shift_id,
        "terminal": draft.terminal,
        "order_no": draft.order_no,
        "request_key": key,
        "request_digest": fingerprint,
        "held_fen": draft.held_fen,
    } | _because(draft.because)
    row = await tx.fetch_one(
        """
        SELECT outcome, receipt_id, receipt_number, entry_id, entry_seq, encode(entry_hash, 'hex') AS entry_hash,
               entry_day
        FROM counter_post(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            request.project_id,
            request.kind,
            request.source,
            sealed.asked,
            request.booked_at,
            request.arrived_at,
            request.business_date,
            sealed.body,
            [posting.account for posting in request.postings],
            [posting.amount_fen for posting in request.postings],
            [posting.ref for posting in request.postings],
            subject,
            list(request.personal),
            list(sealed.salts),
            list(request.personal.values()),
            book_id,
            number,
            json.dumps(head, ensure_ascii=False),
            _json([asdict(line) for line in draft.lines]),
            _json([asdict(tender) for tender in draft.tenders]),
            request.late,
            request.reverses,
        ),
    )
    assert row is not None
    entry = None if row["entry_id"] is None else (row["entry_id"], row["entry_seq"], row["entry_hash"], row["entry_day"])
    return Posted(row["outcome"], row["receipt_id"], row["receipt_number"], entry)


def _because(because: Because | None) -> dict[str, object]:
    if because is None:
        return {}
    return {
        "approval_id": because.approval,
        "approved_by": because.approved_by,
        "reason": because.reason,
        "reverses": because.reverses and because.reverses.id,
        "replaces": because.replaces and because.replaces.id,
    }


def _json(rows: Sequence[dict[str, Any]]) -> str:
    numbered = [{"line": number} | row for number, row in enumerate(rows, 1)]
    return json.dumps(numbered, ensure_ascii=False, default=str)


async def by_key(tx: Tx, project_id: int, key: str) -> tuple[int, str] | None:
    """(receipt id, fingerprint of its request) of an idempotency key."""
    row = await tx.fetch_one(
        "SELECT id, request_digest FROM receipts WHERE project_id = %s AND request_key = %s", (project_id, key)
    )
    return None if row is None else (row["id"], row["request_digest"])


async def last_taker(tx: Tx, charge_line: int) -> tuple[str, datetime, str] | None:
    """(name, time, receipt number as printed) of the last receipt that paid a charge line."""
    row = await tx.fetch_one(
        """
        SELECT r.cashier_name, r.at, b.code || ' ' || lpad(r.number::text, 7, '0') AS no
        FROM receipt_lines l JOIN receipts r ON r.id = l.receipt_id JOIN receipt_books b ON b.id = r.book_id
        WHERE l.charge_line = %s ORDER BY r.id DESC LIMIT 1
        """,
        (charge_line,),
    )
    return None if row is None else (row["cashier_name"], row["at"], row["no"])


async def receipts(tx: Tx, ids: Sequence[int]) -> list[Receipt]:
    """Receipts with lines, tenders, what is left of the payer's name and how often they were printed, in order of id."""
    rows = await tx.fetch_all(
        """
        SELECT r.id, r.project_id, r.kind, r.at, r.arrived_at, r.business_date, r.room_id, r.object, r.change_fen, r.cashier,
               r.cashier_name, r.shift_id, r.terminal, r.order_no, r.number, b.code AS book, r.entry_id, e.seq AS entry_seq,
               encode(e.hash, 'hex') AS entry_hash, r.book_id, e.source, r.approval_id, r.approved_by, r.reason,
               r.reverses, r.replaces, back.id AS reversed_by, place.id AS replaced_by,
               (SELECT p.value FROM ledger_personal p WHERE p.entry_id = r.entry_id AND p.field = 'payer') AS payer,
               e.body LIKE '%%"personal":{"payer":"%%' AS named,
               (SELECT count(*) FROM receipt_prints p WHERE p.receipt_id = r.id) AS prints
        FROM receipts r JOIN receipt_books b ON b.id = r.book_id JOIN ledger_entries e ON e.id = r.entry_id
        LEFT JOIN receipts back ON back.reverses = r.id LEFT JOIN receipts place ON place.replaces = r.id
        WHERE r.id = ANY(%s) ORDER BY r.id
        """,
        (list(ids),),
    )
    lines: dict[int, list[ReceiptLine]] = {}
    for row in await tx.fetch_all(
        """
        SELECT receipt_id, charge_line, item, item_name, object, period_from, period_to, formula, principal_fen, late_fee_fen
        FROM receipt_lines WHERE receipt_id = ANY(%s) ORDER BY line
        """,
        (list(ids),),
    ):
        lines.setdefault(row.pop("receipt_id"), []).append(ReceiptLine(**row))
    tenders: dict[int, list[Tender]] = {}
    for row in await tx.fetch_all(
        """
        SELECT receipt_id, method, tendered_fen, amount_fen, reference FROM receipt_tenders
        WHERE receipt_id = ANY(%s) ORDER BY line
        """,
        (list(ids),),
    ):
        tenders.setdefault(row.pop("receipt_id"), []).append(Tender(**row))
    others = {row[name] for row in rows for name in _OTHERS if row[name] is not None}
    named = {one: Ref(one, no) for one, no in (await numbers(tx, sorted(others))).items()} if others else {}
    return [_receipt(row, lines.get(row["id"], []), tenders.get(row["id"], []), named) for row in rows]


_OTHERS = ("reverses", "replaces", "reversed_by", "replaced_by")


async def numbers(tx: Tx, ids: Sequence[int]) -> dict[int, str]:
    """Receipt -> its number as printed."""
    rows = await tx.fetch_all(
        """
        SELECT r.id, b.code || ' ' || lpad(r.number::text, greatest(7, length(r.number::text)), '0') AS no
        FROM receipts r JOIN receipt_books b ON b.id = r.book_id WHERE r.id = ANY(%s)
        """,
        (list(ids),),
    )
    return {row["id"]: row["no"] for row in rows}


def _receipt(row: dict[str, Any], lines: list[ReceiptLine], tenders: list[Tender], named: dict[int, Ref]) -> Receipt:
    because = None
    if row["approval_id"] is not None:
        reverses, replaces = named.get(row["reverses"]), named.get(row["replaces"])
        because = Because(row["approval_id"], row["approved_by"], row["reason"], reverses, replaces)
    draft = Draft(
        project_id=row["project_id"],
        kind=row["kind"],
        at=row["at"],
        arrived_at=row["arrived_at"],
        business_date=row["business_date"],
        room_id=row["room_id"],
        object=row["object"],
        lines=lines,
        tenders=tenders,
        change_fen=row["change_fen"],
        cashier=row["cashier"],
        cashier_name=row["cashier_name"],
        shift_id=row["shift_id"],
        terminal=row["terminal"],
        order_no=row["order_no"],
        because=because,
    )
    return Receipt(
        row["id"],
        row["book"],
        row["number"],
        row["entry_id"],
        row["entry_seq"],
        row["entry_hash"],
        draft,
        row["payer"],
        row["prints"],
        row["named"] and row["payer"] is None,
        row["book_id"],
        row["source"],
        named.get(row["reversed_by"]),
        named.get(row["replaced_by"]),
    )


async def payer_subject(tx: Tx, entry_id: int) -> str | None:
    """Whose personal field the payer's name of an entry is: 'owner:12'."""
    row = await tx.fetch_one("SELECT subject FROM ledger_personal WHERE entry_id = %s AND field = 'payer'", (entry_id,))
    return None if row is None else row["subject"]


async def lock_receipt(tx: Tx, receipt_id: int) -> None:
    """Whoever would take a receipt back waits for whoever is doing so."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"reverse receipt {receipt_id}",))


async def hold_open(tx: Tx, shift_id: int) -> bool:
    """Whether a shift is open; then it stays so until this transaction ends."""
    return await tx.fetch_one("SELECT id FROM shifts WHERE id = %s AND closed_at IS NULL FOR SHARE", (shift_id,)) is not None


async def add_print(tx: Tx, receipt_id: int, at: datetime, by_number: str, by_name: str) -> int:
    """Record a print; which one it is. Prints of one receipt queue up behind each other."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"print receipt {receipt_id}",))
    row = await tx.fetch_one(
        """
        INSERT INTO receipt_prints (company_id, receipt_id, n, at, by_number, by_name)
        SELECT company_id, id, 1 + (SELECT count(*) FROM receipt_prints WHERE receipt_id = receipts.id), %s, %s, %s
        FROM receipts WHERE id = %s RETURNING n
        """,
        (at, by_number, by_name, receipt_id),
    )
    assert row is not None
    return int(row["n"])
