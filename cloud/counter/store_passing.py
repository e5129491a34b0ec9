"""SQL of cash in transit that goes on from one person to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from cloud.counter.store_shifts import Who
from cloud.shared.db import Tx


@dataclass(frozen=True, slots=True)
class Pass:
    """Cash of hand-overs that one person offers to another. `state`: waiting, confirmed, refused, withdrawn."""

    id: int
    project_id: int
    handovers: Sequence[int]
    days: Sequence[date]
    amount_fen: int
    from_id: int
    from_number: str
    from_name: str
    offered_at: datetime
    state: str
    receiver_id: int | None
    receiver_name: str | None
    request_key: str


_PASS = """
    SELECT id, project_id, handovers, days, amount_fen, from_id, from_number, from_name, offered_at, state, receiver_id,
           receiver_name, request_key FROM cash_passes
"""


async def one(tx: Tx, pass_id: int, *, lock: bool = False) -> Pass | None:
    row = await tx.fetch_one(_PASS + " WHERE id = %s" + (" FOR UPDATE" if lock else ""), (pass_id,))
    return None if row is None else Pass(**row)


async def by_key(tx: Tx, project_id: int, key: str) -> Pass | None:
    row = await tx.fetch_one(_PASS + " WHERE project_id = %s AND request_key = %s", (project_id, key))
    return None if row is None else Pass(**row)


async def waiting(tx: Tx, projects: Sequence[int]) -> list[Pass]:
    rows = await tx.fetch_all(_PASS + " WHERE project_id = ANY(%s) AND state = 'waiting' ORDER BY id", (list(projects),))
    return [Pass(**row) for row in rows]


async def add(
    tx: Tx, project_id: int, handovers: Sequence[int], days: Sequence[date], fen: int, who: Who, at: datetime, key: str
) -> int | None:
    """The pass's number; None when the key was used. Its cash is on no slip until it is decided."""
    row = await tx.fetch_one(
        """
        INSERT INTO cash_passes (company_id, project_id, handovers, days, amount_fen, from_id, from_number, from_name, offered_at,
                                 request_key)
        SELECT company_id, id, %s, %s, %s, %s, %s, %s, %s, %s FROM projects WHERE id = %s ON CONFLICT DO NOTHING RETURNING id
        """,
        (list(handovers), list(days), fen, *who, at, key, project_id),
    )
    if row is None:
        return None
    await tx.execute("UPDATE cash_handovers SET passing = true WHERE id = ANY(%s)", (list(handovers),))
    return int(row["id"])


async def decide(tx: Tx, found: Pass, state: str, who: Who | None, at: datetime, refusal: str | None = None) -> None:
    """Say how a pass ended; confirmed cash is the receiver's."""
    receiver = who or (None, None, None)
    await tx.execute(
        """
        UPDATE cash_passes SET state = %s, receiver_id = %s, receiver = %s, receiver_name = %s, decided_at = %s, refusal = %s
        WHERE id = %s
        """,
        (state, *receiver, at, refusal, found.id),
    )
    await tx.execute("UPDATE cash_handovers SET passing = false WHERE id = ANY(%s)", (list(found.handovers),))
    if state == "confirmed":
        await tx.execute(
            "UPDATE cash_handovers SET bearer_id = %s, bearer = %s, bearer_name = %s WHERE id = ANY(%s)",
            (*receiver, list(found.handovers)),
        )


async def posted(tx: Tx, pass_id: int, entry_id: int) -> None:
    await tx.execute("UPDATE cash_passes SET entry_id = %s WHERE id = %s", (entry_id, pass_id))


async def held_by(tx: Tx, handovers: Sequence[int], user_id: int, number: str) -> bool:
    """Whether somebody held or counted a drawer that this cash came out of."""
    row = await tx.fetch_one(
        """
        SELECT 1 FROM cash_handovers h JOIN cash_counts c ON c.id = h.count_id
        WHERE h.id = ANY(%s) AND (c.holder_id = %s OR c.by_id = %s OR c.holder = %s) LIMIT 1
        """,
        (list(handovers), user_id, user_id, number),
    )
    return row is not None
