"""SQL of deposit slips, bank statements and working days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cloud.counter.statement import Line
from cloud.shared.db import Tx
from protocols.time import civil

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Slip:
    """A deposit slip. `arrived_fen`: confirmed from the statement; what is left of `amount_fen` is in transit or a difference."""

    id: int
    project_id: int
    company_id: int
    account_id: int
    account_code: str
    bank: str
    tail: str
    account_holder: str
    days: Sequence[date]
    amount_fen: int
    deadline: datetime
    depositor_id: int
    depositor: str
    depositor_name: str
    made_at: datetime
    photo: str | None
    bank_receipt: str | None
    bank_day: date | None
    difference_fen: int | None
    difference_reason: str | None
    approval_id: int | None
    difference_entry: int | None
    request_key: str
    arrived_fen: int
    arrived_day: date | None
    confirmed_name: str | None
    float_change_fen: int

    @property
    def no(self) -> str:
        """As printed: 'JK2611-0119'."""
        return f"JK{civil(self.made_at):%y%m}-{self.id:04d}"

    @property
    def state(self) -> str:
        """transit, short (arrived with a difference that nobody approved), banked."""
        if self.arrived_fen == self.amount_fen or self.difference_entry is not None:
            return "banked"
        return "short" if self.arrived_fen else "transit"


_SLIP = """
    SELECT s.id, s.project_id, s.company_id, s.account_id, a.code AS account_code, a.bank, a.tail, a.holder AS account_holder,
           s.days, s.amount_fen, s.deadline, s.depositor_id, s.depositor, s.depositor_name, s.made_at, s.photo, s.bank_receipt,
           s.bank_day, s.difference_fen, s.difference_reason, s.approval_id, s.difference_entry, s.request_key,
           coalesce(l.fen, 0)::bigint AS arrived_fen, l.day AS arrived_day, l.name AS confirmed_name,
           coalesce((SELECT sum(h.float_fen - c.float_fen) FROM cash_handovers h JOIN cash_counts c ON c.id = h.count_id
                     WHERE h.slip_id = s.id), 0)::bigint AS float_change_fen
    FROM deposit_slips s
    JOIN bank_accounts a ON a.id = s.account_id
    LEFT JOIN LATERAL (SELECT sum(amount_fen) AS fen, max(day) AS day, max(confirmed_name) AS name
                       FROM bank_lines b WHERE b.slip_id = s.id) l ON true
"""


def _slip(row: Row | None) -> Slip | None:
    return None if row is None else Slip(**row)


async def slip(tx: Tx, slip_id: int, *, lock: bool = False) -> Slip | None:
    if lock:
        await tx.fetch_one("SELECT id FROM deposit_slips WHERE id = %s FOR UPDATE", (slip_id,))
    return _slip(await tx.fetch_one(_SLIP + " WHERE s.id = %s", (slip_id,)))


async def by_key(tx: Tx, project_id: int, key: str) -> Slip | None:
    return _slip(await tx.fetch_one(_SLIP + " WHERE s.project_id = %s AND s.request_key = %s", (project_id, key)))


async def slips(tx: Tx, projects: Sequence[int], limit: int) -> list[Slip]:
    """The newest first."""
    rows = await tx.fetch_all(_SLIP + " WHERE s.project_id = ANY(%s) ORDER BY s.id DESC LIMIT %s", (list(projects), limit))
    return [one for one in map(_slip, rows) if one is not None]


async def unarrived(tx: Tx, account_id: int) -> list[Slip]:
    where = " WHERE s.account_id = %s AND s.difference_entry IS NULL AND coalesce(l.fen, 0) < s.amount_fen ORDER BY s.id"
    rows = await tx.fetch_all(_SLIP + where, (account_id,))
    return [one for one in map(_slip, rows) if one is not None]


async def to_bank(tx: Tx, project_id: int, bearer_id: int | None, days: Sequence[date] | None) -> list[Row]:
    """Hand-overs confirmed, on no slip yet and not being passed on, locked: id, who has it now, day of the count, amount_fen."""
    return await tx.fetch_all(
        """
        SELECT h.id, coalesce(h.bearer_id, h.receiver_id) AS receiver_id, coalesce(h.bearer, h.receiver) AS receiver,
               coalesce(h.bearer_name, h.receiver_name) AS receiver_name, c.business_date AS day, h.amount_fen
        FROM cash_handovers h JOIN cash_counts c ON c.id = h.count_id
        WHERE h.project_id = %s AND h.state = 'confirmed' AND h.slip_id IS NULL AND NOT h.passing AND h.amount_fen > 0
          AND (%s::int IS NULL OR coalesce(h.bearer_id, h.receiver_id) = %s)
          AND (%s::date[] IS NULL OR c.business_date = ANY(%s))
        ORDER BY h.id FOR UPDATE OF h
        """,
        (project_id, bearer_id, bearer_id, *[None if days is None else list(days)] * 2),
    )


async def add_slip(tx: Tx, facts: Mapping[str, object], handovers: Sequence[int]) -> int:
    row = await tx.fetch_one(
        """
        INSERT INTO deposit_slips (company_id, project_id, account_id, days, amount_fen, deadline, depositor_id, depositor,
                                   depositor_name, made_at, request_key)
        SELECT company_id, id, %(account)s, %(days)s, %(amount)s, %(deadline)s, %(who_id)s, %(who)s, %(who_name)s, %(at)s, %(key)s
        FROM projects WHERE id = %(project)s RETURNING id
        """,
        facts,
    )
    assert row is not None
    await tx.execute("UPDATE cash_handovers SET slip_id = %s WHERE id = ANY(%s)", (row["id"], list(handovers)))
    return int(row["id"])


async def handlers_of(tx: Tx, slip_id: int) -> set[int]:
    """Everybody who held, counted, received or passed on cash of a slip: none of them confirms its arrival (Y-02)."""
    rows = await tx.fetch_all(
        """
        SELECT c.holder_id, c.by_id, h.receiver_id, p.from_id, p.receiver_id AS bearer_id
        FROM cash_handovers h JOIN cash_counts c ON c.id = h.count_id
        LEFT JOIN cash_passes p ON p.project_id = h.project_id AND p.state = 'confirmed' AND h.id = ANY(p.handovers)
        WHERE h.slip_id = %s
        """,
        (slip_id,),
    )
    return {one for row in rows for one in row.values() if one is not None}


async def evidence(tx: Tx, slip_id: int, photo: str | None, bank_receipt: str | None, bank_day: date | None) -> None:
    await tx.execute(
        """
        UPDATE deposit_slips SET photo = coalesce(%s, photo), bank_receipt = coalesce(%s, bank_receipt),
               bank_day = coalesce(%s, bank_day) WHERE id = %s
        """,
        (photo, bank_receipt, bank_day, slip_id),
    )


async def difference(
    tx: Tx, slip_id: int, *, fen: int, reason: str, approval_id: int | None = None, entry_id: int | None = None
) -> None:
    await tx.execute(
        """
        UPDATE deposit_slips SET difference_fen = %s, difference_reason = %s, approval_id = coalesce(%s, approval_id),
               difference_entry = coalesce(%s, difference_entry) WHERE id = %s
        """,
        (fen, reason, approval_id, entry_id, slip_id),
    )


async def accounts(tx: Tx) -> list[Row]:
    return await tx.fetch_all("SELECT id, company_id, code, bank, tail, holder FROM bank_accounts ORDER BY company_id, code", ())


async def account(tx: Tx, account_id: int) -> Row | None:
    return await tx.fetch_one("SELECT id, company_id, code, bank, tail, holder FROM bank_accounts WHERE id = %s", (account_id,))


async def add_account(tx: Tx, company_id: int, code: str, bank: str, tail: str, holder: str) -> int | None:
    """The account's id; None when the code is taken."""
    row = await tx.fetch_one(
        """
        INSERT INTO bank_accounts (company_id, code, bank, tail, holder) VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT DO NOTHING RETURNING id
        """,
        (company_id, code, bank, tail, holder),
    )
    return None if row is None else int(row["id"])


async def statement(tx: Tx, account_id: int, sha256: str) -> Row | None:
    return await tx.fetch_one(
        "SELECT id, lines, added FROM bank_statements WHERE account_id = %s AND sha256 = %s", (account_id, sha256)
    )


async def elsewhere(tx: Tx, account_id: int, sha256: str) -> bool:
    """Whether the same file was imported for another account."""
    row = await tx.fetch_one("SELECT id FROM bank_statements WHERE sha256 = %s AND account_id <> %s", (sha256, account_id))
    return row is not None


async def add_statement(
    tx: Tx, account: Row, name: str, sha256: str, lines: Sequence[tuple[Line, str]], who: tuple[int, str], at: datetime
) -> tuple[int, int] | None:
    """Lines with their kind: (statement id, how many were new); None when the file came meanwhile."""
    known = await tx.fetch_all(
        "SELECT serial FROM bank_lines WHERE account_id = %s AND serial = ANY(%s)",
        (account["id"], [one.serial for one, _ in lines]),
    )
    old = {row["serial"] for row in known}
    fresh = {one.serial: (one, kind) for one, kind in lines if one.serial not in old}
    row = await tx.fetch_one(
        """
        INSERT INTO bank_statements (company_id, account_id, name, sha256, at, by_id, by_number, lines, added)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id
        """,
        (account["company_id"], account["id"], name, sha256, at, *who, len(lines), len(fresh)),
    )
    if row is None:
        return None
    for one, kind in fresh.values():
        await tx.execute(
            """
            INSERT INTO bank_lines (company_id, statement_id, account_id, day, amount_fen, remark, serial, kind, payer, twin)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s,
                    (SELECT min(o.id) FROM bank_lines o WHERE o.account_id = %s AND o.day = %s AND o.amount_fen = %s
                        AND o.remark = %s AND o.statement_id <> %s)) ON CONFLICT DO NOTHING
            """,
            (
                account["company_id"], row["id"], account["id"], one.day, one.amount_fen, one.remark, one.serial, kind, one.payer,
                account["id"], one.day, one.amount_fen, one.remark, row["id"],
            ),
        )  # fmt: skip
    return int(row["id"]), len(fresh)


async def suggest(tx: Tx, line_id: int, slip_id: int | None, doubt: str | None) -> None:
    await tx.execute("UPDATE bank_lines SET suggested = %s, doubt = %s WHERE id = %s", (slip_id, doubt, line_id))


_LINE = """
    SELECT l.id, l.account_id, l.company_id, l.day, l.amount_fen, l.remark, l.serial, l.kind, l.payer, l.twin, l.suggested,
           l.doubt, l.slip_id, l.confirmed_name, l.confirmed_at, l.decided_reason, l.statement_id
    FROM bank_lines l
"""


async def lines(tx: Tx, account_id: int | None, slip_id: int | None = None) -> list[Row]:
    """Money that came in and nothing took yet; of one slip: what was suggested or confirmed for it."""
    return await tx.fetch_all(
        _LINE
        + """
        WHERE (%s::int IS NULL OR l.account_id = %s)
          AND (CASE WHEN %s::int IS NULL THEN l.slip_id IS NULL ELSE l.slip_id = %s OR l.slip_id IS NULL AND l.suggested = %s END)
          AND (l.slip_id IS NOT NULL OR NOT EXISTS (SELECT FROM bank_line_uses u WHERE u.line_id = l.id))
        ORDER BY l.day DESC, l.id DESC LIMIT 200
        """,
        (account_id, account_id, slip_id, slip_id, slip_id),
    )


async def unplaced(tx: Tx, account_id: int) -> list[Row]:
    """Every line of an account that nothing took yet, the oldest first."""
    return await tx.fetch_all(
        _LINE
        + " WHERE l.account_id = %s AND NOT EXISTS (SELECT FROM bank_line_uses u WHERE u.line_id = l.id) ORDER BY l.day, l.id",
        (account_id,),
    )


async def take_lines(tx: Tx, line_ids: Sequence[int]) -> list[Row]:
    """The lines, locked, with what they are used for."""
    return await tx.fetch_all(
        """
        SELECT l.id, l.account_id, l.company_id, l.day, l.amount_fen, l.remark, l.serial, l.kind, l.payer, l.twin, l.slip_id,
               (SELECT u.used_for FROM bank_line_uses u WHERE u.line_id = l.id) AS used_for
        FROM bank_lines l WHERE l.id = ANY(%s) ORDER BY l.id FOR UPDATE OF l
        """,
        (list(line_ids),),
    )


async def use(tx: Tx, line_ids: Sequence[int], used_for: str, by_number: str, at: datetime) -> int:
    """A line is used once, ever: how many of them were free."""
    return await tx.execute(
        """
        INSERT INTO bank_line_uses (line_id, company_id, used_for, at, by_number)
        SELECT id, company_id, %s, %s, %s FROM bank_lines WHERE id = ANY(%s) ON CONFLICT DO NOTHING
        """,
        (used_for, at, by_number, list(line_ids)),
    )


async def confirm(
    tx: Tx, line_ids: Sequence[int], slip_id: int, who: tuple[str, str], at: datetime, entry_id: int, reason: str | None
) -> None:
    await tx.execute(
        """
        UPDATE bank_lines SET slip_id = %s, confirmed_by = %s, confirmed_name = %s, confirmed_at = %s, entry_id = %s,
               decided_reason = %s
        WHERE id = ANY(%s)
        """,
        (slip_id, *who, at, entry_id, reason, list(line_ids)),
    )


async def calendar(tx: Tx, company_id: int) -> dict[date, bool]:
    """Days that are not as their weekday says: does the company work on them?"""
    rows = await tx.fetch_all("SELECT day, works FROM report_calendar WHERE company_id = %s", (company_id,))
    return {row["day"]: row["works"] for row in rows}


async def unbanked(tx: Tx, projects: Sequence[int]) -> list[Row]:
    """Cash not at the bank, by project: project_id, company_id, fen."""
    return await tx.fetch_all(
        "SELECT project_id, company_id, fen FROM report_unbanked WHERE project_id = ANY(%s) AND fen <> 0", (list(projects),)
    )


async def every_project(tx: Tx) -> list[int]:
    return [row["id"] for row in await tx.fetch_all("SELECT id FROM projects ORDER BY id", ())]


async def cash_since(tx: Tx, project_id: int, after: date) -> list[tuple[date, int]]:
    """Cash taken on the days after a date."""
    rows = await tx.fetch_all(
        "SELECT day, sum(fen)::bigint AS fen FROM report_cash_days WHERE project_id = %s AND day > %s GROUP BY day ORDER BY day",
        (project_id, after),
    )
    return [(row["day"], row["fen"]) for row in rows]
