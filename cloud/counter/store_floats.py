"""SQL of what drawers open with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.shared.db import Tx

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Left:
    """`kept_fen` was left at the last hand-over, `given_fen` put in by others since; `known`: the terminal was used before."""

    known: bool
    kept_fen: int
    given_fen: int
    gifts: Sequence[int] = ()

    @property
    def total_fen(self) -> int:
        return self.kept_fen + self.given_fen


async def lock(tx: Tx, project_id: int, terminal: str) -> None:
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"float {project_id} {terminal}",))


async def left(tx: Tx, project_id: int, terminal: str, opener: int | None = None) -> Left:
    """A drawer that was counted and not handed over yet leaves nothing: all of it is still the last cashier's."""
    row = await tx.fetch_one(
        """
        SELECT coalesce((SELECT h.float_fen FROM cash_counts c
                         JOIN cash_handovers h ON h.count_id = c.id AND h.state = 'confirmed'
                         WHERE c.shift_id = s.id ORDER BY h.id DESC LIMIT 1), 0) AS kept, s.closed_at
        FROM shifts s WHERE s.project_id = %s AND s.terminal = %s ORDER BY s.id DESC LIMIT 1
        """,
        (project_id, terminal),
    )
    gifts = await tx.fetch_all(
        """
        SELECT id, amount_fen FROM drawer_floats WHERE project_id = %s AND terminal = %s AND shift_id IS NULL
          AND (%s::int IS NULL OR by_id <> %s) ORDER BY id
        """,
        (project_id, terminal, opener, opener),
    )
    given = sum(one["amount_fen"] for one in gifts)
    known = row is not None and row["closed_at"] is not None
    return Left(known or given > 0, row["kept"] if row else 0, given, tuple(one["id"] for one in gifts))


async def keep(tx: Tx, shift_id: int, left: Left, reason: str | None) -> None:
    await tx.execute(
        "UPDATE shifts SET float_left_fen = %s, float_reason = %s WHERE id = %s",
        (left.total_fen if left.known else None, reason, shift_id),
    )
    await tx.execute("UPDATE drawer_floats SET shift_id = %s WHERE id = ANY(%s)", (shift_id, list(left.gifts)))


async def give(
    tx: Tx, project_id: int, terminal: str, fen: int, reason: str, who: tuple[int, str, str], key: str, at: datetime
) -> int:
    return await tx.execute(
        """
        INSERT INTO drawer_floats (company_id, project_id, terminal, amount_fen, reason, by_id, by_number, by_name, at,
                                   request_key)
        SELECT company_id, id, %s, %s, %s, %s, %s, %s, %s, %s FROM projects WHERE id = %s ON CONFLICT DO NOTHING
        """,
        (terminal, fen, reason, *who, at, key, project_id),
    )


async def waiting(tx: Tx, projects: Sequence[int]) -> list[Row]:
    """Cash put into drawers that were not opened since."""
    return await tx.fetch_all(
        """
        SELECT id, project_id, terminal, amount_fen, reason, by_number, by_name, at FROM drawer_floats
        WHERE project_id = ANY(%s) AND shift_id IS NULL ORDER BY id
        """,
        (list(projects),),
    )
