"""SQL of orders and notices."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from cloud.payments.domain import Notice, Order, OrderState, Verdict
from cloud.shared.db import Tx

_MESSAGE_KEPT = 2000
_ORDER = """
    SELECT id, company_id, project_id, order_no, purpose, reference, subject, amount_fen, state, created_at, paid_at, provider,
           provider_no
    FROM payment_orders
"""


@dataclass(frozen=True, slots=True)
class NewOrder:
    project_id: int
    order_no: str
    purpose: str
    reference: str
    subject: str
    amount_fen: int
    created_at: datetime


async def create(tx: Tx, new: NewOrder) -> Order | None:
    """None when the project is not in scope."""
    row = await tx.fetch_one(
        """
        INSERT INTO payment_orders (company_id, project_id, order_no, purpose, reference, subject, amount_fen, created_at)
        SELECT company_id, id, %s, %s, %s, %s, %s, %s FROM projects WHERE id = %s
        RETURNING id, company_id, project_id, order_no, purpose, reference, subject, amount_fen, state, created_at, paid_at,
                  provider, provider_no
        """,
        (new.order_no, new.purpose, new.reference, new.subject, new.amount_fen, new.created_at, new.project_id),
    )
    return None if row is None else _order(row)


async def unpaid(tx: Tx, project_id: int, purpose: str, reference: str, amount_fen: int) -> Order | None:
    """An order for the same thing that can still be paid. Serialises callers for this thing until the transaction ends."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"payment order {project_id} {purpose} {reference}",)
    )
    row = await tx.fetch_one(
        _ORDER
        + """ WHERE project_id = %s AND purpose = %s AND reference = %s AND amount_fen = %s AND state IN ('created', 'paying')
              ORDER BY id DESC LIMIT 1""",
        (project_id, purpose, reference, amount_fen),
    )
    return None if row is None else _order(row)


async def by_number(tx: Tx, order_no: str, *, lock: bool = False) -> Order | None:
    row = await tx.fetch_one(_ORDER + " WHERE order_no = %s" + (" FOR UPDATE" if lock else ""), (order_no,))
    return None if row is None else _order(row)


async def company_of(tx: Tx, order_no: str) -> int | None:
    """The company of an order, whatever the scope."""
    row = await tx.fetch_one("SELECT payment_order_company(%s) AS company", (order_no,))
    return None if row is None else row["company"]


async def set_state(tx: Tx, order_id: int, state: OrderState) -> None:
    await tx.execute("UPDATE payment_orders SET state = %s WHERE id = %s", (state, order_id))


async def set_paid(tx: Tx, order_id: int, provider: str, provider_no: str, paid_at: datetime) -> bool:
    """False when the provider's payment pays another order already, also one of a company outside the scope."""
    try:
        async with tx.savepoint():
            await tx.execute(
                "UPDATE payment_orders SET state = 'paid', provider = %s, provider_no = %s, paid_at = %s WHERE id = %s",
                (provider, provider_no, paid_at, order_id),
            )
    except psycopg.errors.UniqueViolation:
        return False
    return True


async def record(
    tx: Tx,
    at: datetime,
    provider: str,
    verdict: Verdict,
    message: bytes,
    *,
    company_id: int | None = None,
    notice: Notice | None = None,
) -> None:
    """Keep a notice with its outcome; `message` shortened, with the SHA-256 of the whole."""
    await tx.execute(
        """
        INSERT INTO payment_notices (company_id, at, provider, outcome, order_no, provider_no, amount_fen, sha256, message)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            company_id,
            at,
            provider,
            verdict.value,
            notice and notice.order,
            notice and notice.provider_no,
            notice and notice.amount_fen,
            hashlib.sha256(message).hexdigest(),
            message[:_MESSAGE_KEPT].decode("ascii", "backslashreplace").replace("\x00", "\\x00"),
        ),
    )


async def notice_counts(tx: Tx) -> dict[str, int]:
    rows: Sequence[dict[str, Any]] = await tx.fetch_all("SELECT outcome, count(*) AS n FROM payment_notices GROUP BY outcome", ())
    return {row["outcome"]: row["n"] for row in rows}


def _order(row: dict[str, Any]) -> Order:
    return Order(**row)


async def paid_orders(tx: Tx) -> dict[str, int]:
    rows = await tx.fetch_all("SELECT order_no, amount_fen FROM payment_orders WHERE state = 'paid' ORDER BY id")
    return {row["order_no"]: row["amount_fen"] for row in rows}
