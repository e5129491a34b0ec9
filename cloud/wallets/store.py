"""SQL of wallets and their movements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cloud.shared.db import Tx
from cloud.wallets.accounts import Movement, Wallet

_WALLET = "SELECT id, project_id, room_id, owner_id, purpose, balance_fen, low_fen, auto_deduct FROM wallets"
_MOVEMENT = """
    SELECT m.id, m.wallet_id, m.kind, m.amount_fen, m.balance_fen, m.source, m.line_id, m.reverses, m.at, m.by,
           e.id AS entry_id, e.seq AS entry_seq
    FROM wallet_movements m LEFT JOIN ledger_entries e ON e.project_id = m.project_id AND e.source = m.source
"""


async def ensure(tx: Tx, project_id: int, room_id: int | None, owner_id: int | None, purpose: str) -> Wallet | None:
    """The wallet, made when it is not there; None when room or owner is not in scope."""
    found = await _held(tx, project_id, room_id, owner_id, purpose)
    if found is None:
        await tx.execute(
            """
            INSERT INTO wallets (company_id, project_id, room_id, owner_id, purpose)
            SELECT company_id, id, %s, %s, %s FROM projects WHERE id = %s ON CONFLICT DO NOTHING
            """,
            (room_id, owner_id, purpose, project_id),
        )
        found = await _held(tx, project_id, room_id, owner_id, purpose)
    return found


async def _held(tx: Tx, project_id: int, room_id: int | None, owner_id: int | None, purpose: str) -> Wallet | None:
    row = await tx.fetch_one(
        _WALLET
        + " WHERE project_id = %s AND purpose = %s AND room_id IS NOT DISTINCT FROM %s AND owner_id IS NOT DISTINCT FROM %s",
        (project_id, purpose, room_id, owner_id),
    )
    return Wallet(**row) if row else None


async def by_id(tx: Tx, wallet_id: int) -> Wallet | None:
    row = await tx.fetch_one(_WALLET + " WHERE id = %s", (wallet_id,))
    return Wallet(**row) if row else None


async def of_room(tx: Tx, project_id: int, room_id: int, *, owner_id: int | None = None, lock: bool = False) -> list[Wallet]:
    """A room's wallets and, when an owner is named, theirs in this project: the room's first. Locked in one order when asked."""
    where = " WHERE project_id = %s AND (room_id = %s OR owner_id = %s) ORDER BY id" + (" FOR UPDATE" if lock else "")
    rows = await tx.fetch_all(_WALLET + where, (project_id, room_id, owner_id))
    return sorted((Wallet(**row) for row in rows), key=lambda one: (one.room_id is None, one.id))


async def lock(tx: Tx, ids: Sequence[int]) -> list[Wallet]:
    """Wallets by number, locked in one order until the transaction ends."""
    rows = await tx.fetch_all(_WALLET + " WHERE id = ANY(%s) ORDER BY id FOR UPDATE", (list(ids),))
    return [Wallet(**row) for row in rows]


async def move(
    tx: Tx,
    wallet_id: int,
    amount_fen: int,
    kind: str,
    source: str,
    *,
    line_id: int | None,
    reverses: int | None,
    at: datetime,
    by: str,
) -> tuple[str, int, str]:
    """`wallet_move`: (outcome, balance, purpose)."""
    row = await tx.fetch_one(
        "SELECT outcome, balance, purpose FROM wallet_move(%s, %s, %s, %s, %s, %s, %s, %s)",
        (wallet_id, amount_fen, kind, source, line_id, reverses, at, by),
    )
    assert row is not None
    return row["outcome"], row["balance"], row["purpose"]


async def movements(tx: Tx, wallet_id: int, *, before: int | None = None, limit: int = 100) -> list[Movement]:
    """Newest first; `before` a movement's id pages on."""
    rows = await tx.fetch_all(
        _MOVEMENT + " WHERE m.wallet_id = %s AND (%s::bigint IS NULL OR m.id < %s) ORDER BY m.id DESC LIMIT %s",
        (wallet_id, before, before, limit),
    )
    return [Movement(**row) for row in rows]


async def movements_of_source(tx: Tx, project_id: int, source: str) -> list[Movement]:
    """What one ledger entry moved and nobody took back yet, in the order in which wallets are locked."""
    rows = await tx.fetch_all(
        _MOVEMENT
        + """
        WHERE m.project_id = %s AND m.source = %s AND m.reverses IS NULL
          AND NOT EXISTS (SELECT FROM wallet_movements r WHERE r.reverses = m.id)
        ORDER BY m.wallet_id, m.id
        """,
        (project_id, source),
    )
    return [Movement(**row) for row in rows]


async def taken_back_by(tx: Tx, project_id: int, source: str, by_source: str) -> bool:
    """Whether the movements of a source were reversed by exactly this other source."""
    row = await tx.fetch_one(
        """
        SELECT 1 FROM wallet_movements m JOIN wallet_movements r ON r.reverses = m.id
        WHERE m.project_id = %s AND m.source = %s AND r.source = %s LIMIT 1
        """,
        (project_id, source, by_source),
    )
    return row is not None


async def next_run(tx: Tx) -> int:
    """A number for the source of an entry of ours."""
    row = await tx.fetch_one("SELECT nextval('wallet_runs') AS n", ())
    assert row is not None
    return int(row["n"])


async def set_limits(tx: Tx, wallet_id: int, low_fen: int | None, auto_deduct: bool) -> bool:
    return bool(
        await tx.execute("UPDATE wallets SET low_fen = %s, auto_deduct = %s WHERE id = %s", (low_fen, auto_deduct, wallet_id))
    )


async def settings(tx: Tx, project_id: int) -> tuple[bool, int] | None:
    """(partial deduction, days of average use below which a wallet is low) of a project that has chosen."""
    row = await tx.fetch_one("SELECT partial, low_days FROM wallet_settings WHERE project_id = %s", (project_id,))
    return (row["partial"], row["low_days"]) if row else None


async def put_settings(tx: Tx, project_id: int, partial: bool, low_days: int, by: str, at: datetime) -> None:
    await tx.execute(
        """
        INSERT INTO wallet_settings (project_id, company_id, partial, low_days, set_by, set_at)
        SELECT id, company_id, %s, %s, %s, %s FROM projects WHERE id = %s
        ON CONFLICT (project_id) DO UPDATE SET partial = excluded.partial, low_days = excluded.low_days, set_by = excluded.set_by,
            set_at = excluded.set_at
        """,
        (partial, low_days, by, at, project_id),
    )


async def rooms_to_deduct(tx: Tx, project_id: int, rooms: Sequence[int] | None) -> list[int]:
    """Rooms with open lines and money in a wallet of theirs, or of who pays a line, that deducts by itself."""
    rows = await tx.fetch_all(
        """
        SELECT DISTINCT c.room_id FROM charge_lines c
        WHERE c.project_id = %s AND c.status IN ('open', 'part') AND c.room_id IS NOT NULL
          AND (%s::int[] IS NULL OR c.room_id = ANY(%s))
          AND EXISTS (SELECT FROM wallets w WHERE w.project_id = c.project_id AND w.balance_fen > 0 AND w.auto_deduct
                      AND (w.room_id = c.room_id OR w.owner_id = c.payer_id))
        ORDER BY c.room_id
        """,
        (project_id, rooms, rooms),
    )
    return [row["room_id"] for row in rows]


async def projects_with_money(tx: Tx) -> list[tuple[int, int]]:
    """(company, project) of projects whose wallets hold anything."""
    rows = await tx.fetch_all(
        "SELECT DISTINCT company_id, project_id FROM wallets WHERE balance_fen > 0 ORDER BY company_id, project_id", ()
    )
    return [(row["company_id"], row["project_id"]) for row in rows]


async def billed_since(tx: Tx, entry_id: int) -> tuple[int, list[tuple[int, int]]]:
    """(newest entry, (company, project) of projects with money in wallets that were billed after an entry)."""
    newest = await tx.fetch_one("SELECT coalesce(max(id), 0) AS id FROM ledger_entries", ())
    rows = await tx.fetch_all(
        """
        SELECT DISTINCT e.company_id, e.project_id FROM ledger_entries e
        WHERE e.id > %s AND e.kind = 'bill'
          AND EXISTS (SELECT FROM wallets w WHERE w.project_id = e.project_id AND w.balance_fen > 0)
        ORDER BY e.company_id, e.project_id
        """,
        (entry_id,),
    )
    assert newest is not None
    return newest["id"], [(row["company_id"], row["project_id"]) for row in rows]


async def use(tx: Tx, projects: Sequence[int], since: datetime, wallet_id: int | None = None) -> list[dict[str, Any]]:
    """Wallets with their use since a time: `used_fen` net of reversals, its first day, when the wallet alarmed last."""
    return await tx.fetch_all(
        """
        SELECT w.id, w.project_id, w.room_id, w.owner_id, w.purpose, w.balance_fen, w.low_fen, w.auto_deduct,
               coalesce(u.used, 0)::bigint AS used_fen, u.first_at, a.last_at AS alarmed_at, coalesce(s.low_days, 7) AS low_days
        FROM wallets w
        LEFT JOIN LATERAL (
            SELECT -sum(m.amount_fen) AS used, min(m.at) AS first_at FROM wallet_movements m
            LEFT JOIN wallet_movements o ON o.id = m.reverses
            WHERE m.wallet_id = w.id AND m.at >= %s AND (m.kind = 'deduct' OR o.kind = 'deduct')) u ON true
        LEFT JOIN LATERAL (SELECT max(at) AS last_at FROM wallet_alarms x WHERE x.wallet_id = w.id) a ON true
        LEFT JOIN wallet_settings s ON s.project_id = w.project_id
        WHERE w.project_id = ANY(%s) AND (%s::bigint IS NULL OR w.id = %s)
        ORDER BY w.project_id, w.id
        """,
        (since, list(projects), wallet_id, wallet_id),
    )


async def add_alarm(tx: Tx, wallet: Wallet, reason: str, at: datetime) -> None:
    await tx.execute(
        """
        INSERT INTO wallet_alarms (company_id, project_id, wallet_id, at, balance_fen, reason)
        SELECT company_id, project_id, id, %s, balance_fen, %s FROM wallets WHERE id = %s
        """,
        (at, reason, wallet.id),
    )
