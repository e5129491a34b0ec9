"""SQL of the rules about people, log-ins and exports, and about the chains (G-16, G-17)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cloud.shared.db import Tx

Row = dict[str, Any]


async def double_sessions(tx: Tx, now: datetime) -> list[Row]:
    return await tx.fetch_all("SELECT * FROM access_double_sessions(%s)", (now,))


async def disabled_tries(tx: Tx, since: datetime) -> list[Row]:
    """With when the person was disabled."""
    return await tx.fetch_all(
        """
        SELECT t.*, (SELECT max(a.at) FROM report_access_control_audit a
                     WHERE a.action = 'user.disable' AND a.object = 'user:' || t.user_id) AS disabled_at
        FROM access_disabled_tries(%s) t
        """,
        (since,),
    )


async def exports(tx: Tx, since: datetime) -> list[Row]:
    """Lists of people taken as files: who, when, how many rows; the same day's earlier ones too."""
    return await tx.fetch_all(
        """
        SELECT a.id, a.company_id, a.project_id, a.at, a.number, s.name, s.company_id AS home_company, s.project_id
            AS home_project,
               a.object, (a.after::jsonb ->> 'rows')::bigint AS rows, a.after::jsonb ->> 'at' AS place
        FROM report_access_control_audit a LEFT JOIN report_access_control_staff s ON s.number = a.number
        WHERE a.action = 'export' AND a.object = 'list:owners' AND a.at > %s ORDER BY a.id
        """,
        (since,),
    )


async def known_passwords(tx: Tx, since: datetime) -> list[Row]:
    """Approvals by somebody who made the requester's account or chose their password last."""
    return await tx.fetch_all(
        """
        SELECT a.id, a.company_id, a.project_id, a.at, a.number, a.object, q.title, q.amount_fen, q.requester_number,
            q.requester_name,
               q.decided_name, q.approval_id, q.requested_at, q.subject
        FROM report_access_control_audit a
        JOIN report_access_control_approvals q ON a.object = 'approval:' || q.approval_id
        WHERE a.at > %s AND a.action IN ('approval.approve', 'approval.first_step') AND a.after LIKE '%%"knows_password":true%%'
        """,
        (since,),
    )


async def broken_audit(tx: Tx) -> list[Row]:
    return await tx.fetch_all("SELECT * FROM report_access_control_audit_checks WHERE fault <> ''")


async def quarantined(tx: Tx) -> list[Row]:
    return await tx.fetch_all(
        "SELECT box, company_id, project_id, quarantined_at, quarantine_reason FROM report_boxes WHERE quarantined_at IS NOT NULL"
    )


async def box_notes(tx: Tx, since: datetime) -> list[Row]:
    """What the fleet noted of a box that began anew, or holds other heads than the hub."""
    return await tx.fetch_all(
        """
        SELECT n.* FROM report_fleet_control_notes n
        WHERE n.at > %s AND n.what IN ('reset', 'witness_conflict') ORDER BY n.id
        """,
        (since,),
    )


async def moved_back(tx: Tx) -> list[Row]:
    """Chains that are shorter than they were, or hold another entry where the head was."""
    return await tx.fetch_all(
        """
        SELECT h.company_id, k.project_id, k.seq AS kept_seq, k.at, h.seq, e.hash IS DISTINCT FROM k.hash AS differs
        FROM control_heads k LEFT JOIN report_ledger_control_heads h ON h.project_id = k.project_id
        LEFT JOIN report_ledger_control_hashes e ON e.project_id = k.project_id AND e.seq = k.seq
        WHERE h.seq IS NULL OR h.seq < k.seq OR e.hash IS DISTINCT FROM k.hash
        """
    )


async def keep_heads(tx: Tx, at: datetime) -> None:
    """Remember where each chain stands; one that went back keeps the head it had."""
    await tx.execute(
        """
        INSERT INTO control_heads AS k (project_id, seq, hash, at)
        SELECT h.project_id, h.seq, h.hash, %s FROM report_ledger_control_heads h WHERE h.seq > 0
        ON CONFLICT (project_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, at = excluded.at
            WHERE excluded.seq > k.seq
        """,
        (at,),
    )


async def add_proof(tx: Tx, at: datetime, entries: int, chains: int, faults: str) -> None:
    await tx.execute(
        "INSERT INTO control_proofs (at, entries, chains, faults) VALUES (%s, %s, %s, %s)", (at, entries, chains, faults)
    )


async def last_proof(tx: Tx) -> Row | None:
    """The last full verification."""
    return await tx.fetch_one("SELECT at, entries, chains, faults FROM control_proofs ORDER BY id DESC LIMIT 1")


async def proofs(tx: Tx, since: datetime) -> list[Row]:
    return await tx.fetch_all("SELECT id, at, entries, chains, faults FROM control_proofs WHERE at > %s ORDER BY id", (since,))


async def owner_reports(tx: Tx, since: datetime) -> list[Row]:
    return await tx.fetch_all("SELECT * FROM owner_reports WHERE at > %s ORDER BY id", (since,))
