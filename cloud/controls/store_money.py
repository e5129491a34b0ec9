"""SQL of the rules about waivers, refunds and deposits; the views `report_*` only. Amounts in fen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cloud.shared.db import Tx

Row = dict[str, Any]


async def waived_by_owner(tx: Tx, first: datetime, last: datetime) -> list[Row]:
    """Approved waivers of a year by beneficiary: fen, n, the people who asked and who approved, the newest."""
    return await tx.fetch_all(
        """
        SELECT company_id, min(project_id) AS project_id, beneficiary, sum(amount_fen)::bigint AS fen, count(*) AS n,
               array_agg(DISTINCT requester_number) || array_agg(DISTINCT decided_number) AS people, max(decided_at) AS at,
               max(approval_id) AS approval_id, array_agg(DISTINCT title) AS titles
        FROM report_access_control_approvals
        WHERE family = 'waiver' AND state = 'approved' AND decided_at > %s AND decided_at <= %s
        GROUP BY company_id, beneficiary
        """,
        (first, last),
    )


async def waived_by_approver(tx: Tx, first: datetime, last: datetime) -> list[Row]:
    return await tx.fetch_all(
        """
        SELECT company_id, min(project_id) AS project_id, decided_number, max(decided_name) AS decided_name,
               sum(amount_fen)::bigint AS fen, count(*) AS n, max(decided_at) AS at
        FROM report_access_control_approvals
        WHERE family = 'waiver' AND state = 'approved' AND decided_at > %s AND decided_at <= %s
        GROUP BY company_id, decided_number
        """,
        (first, last),
    )


async def waived_by_phone(tx: Tx, first: datetime, last: datetime) -> list[Row]:
    """Approved waivers of a year by a phone that several owners have in common."""
    return await tx.fetch_all(
        """
        SELECT a.company_id, min(a.project_id) AS project_id, p.phone, count(DISTINCT p.owner_id) AS owners,
               sum(a.amount_fen)::bigint AS fen, count(*) AS n, max(a.decided_at) AS at,
               array_agg(DISTINCT a.requester_number) || array_agg(DISTINCT a.decided_number) AS people,
               (SELECT min(s.number) FROM report_access_control_staff s WHERE s.phone = p.phone) AS staff
        FROM report_access_control_approvals a
        JOIN report_estate_control_phones p ON a.beneficiary = 'owner:' || p.owner_id AND p.company_id = a.company_id
        WHERE a.family = 'waiver' AND a.state = 'approved' AND a.decided_at > %s AND a.decided_at <= %s
        GROUP BY a.company_id, p.phone
        HAVING count(DISTINCT p.owner_id) > 1
            OR exists (SELECT FROM report_access_control_staff s WHERE s.phone = p.phone)
        """,
        (first, last),
    )


async def near_limits(tx: Tx, first: datetime, last: datetime) -> list[Row]:
    """Approvals with a limit, of money given away, each with it."""
    return await tx.fetch_all(
        """
        SELECT company_id, project_id, kind, kind_name, decided_number, decided_name, requester_number, amount_fen, cumulated_fen,
               limit_fen, decided_at, approval_id, title
        FROM report_access_control_approvals
        WHERE family IN ('waiver', 'refund', 'adjust', 'deposit') AND state = 'approved' AND limit_fen > 0
          AND decided_at > %s AND decided_at <= %s
        ORDER BY decided_at
        """,
        (first, last),
    )


async def waived_and_taken(tx: Tx, first: datetime, last: datetime) -> list[Row]:
    """By project, of some days: what was waived, how often, what came in."""
    return await tx.fetch_all(
        """
        SELECT w.company_id, w.project_id, w.fen, w.n, w.people, w.at,
               coalesce((SELECT sum(t.amount_fen) FROM report_tenders t
                         WHERE t.project_id = w.project_id AND t.business_date > (%(first)s at time zone 'Asia/Shanghai')::date
                           AND t.business_date <= (%(last)s at time zone 'Asia/Shanghai')::date), 0)::bigint AS taken_fen
        FROM (SELECT company_id, project_id, sum(amount_fen)::bigint AS fen, count(*) AS n, max(decided_at) AS at,
                     array_agg(DISTINCT decided_number) AS people
              FROM report_access_control_approvals
              WHERE family = 'waiver' AND state = 'approved' AND decided_at > %(first)s AND decided_at <= %(last)s
              GROUP BY company_id, project_id) w
        """,
        {"first": first, "last": last},
    )


async def refunds(tx: Tx, since: datetime) -> list[Row]:
    """Refunds approved since then, with who stands behind the payee: a person of the house of that name, owners the account was
    used for before, how the receipt was paid, when the wallet was touched last.
    """
    return await tx.fetch_all(
        """
        SELECT r.*, a.requester_number, a.requester_name, a.decided_number, a.decided_name, a.requested_at, a.terminal,
            a.approval_id,
               (SELECT min(s.number) FROM report_access_control_staff s
                WHERE s.name = r.payee_name AND s.status = 'active' AND NOT r.same_name) AS staff,
               (SELECT count(DISTINCT o.payer_name) FROM report_refunds o
                WHERE o.company_id = r.company_id AND o.payee_account = r.payee_account AND r.payee_account <> ''
                  AND o.id <= r.id) AS owners,
               (SELECT string_agg(DISTINCT t.tender, ',') FROM report_receipt_tenders t
                WHERE r.subject = 'receipt:' || t.receipt_id AND t.tender IN ('wechat', 'alipay', 'simulated', 'pos')) AS online,
               (SELECT max(w.at) FROM report_wallets w
                WHERE r.subject LIKE 'wallet:%%' AND w.wallet_id = nullif(split_part(r.subject, ':', 2), '')::bigint
                  AND w.at < r.approved_at AND w.kind IN ('top_up', 'deduct', 'transfer', 'adjust')) AS touched_at
        FROM report_refunds r
        LEFT JOIN report_access_control_approvals a
            ON a.project_id = r.project_id AND a.subject = r.subject AND a.family = 'refund' AND a.decided_at = r.approved_at
        WHERE r.approved_at > %s
        """,
        (since,),
    )


async def deductions(tx: Tx, since: datetime) -> list[Row]:
    """Deposits deducted without photos, or without the owner's word."""
    return await tx.fetch_all(
        """
        SELECT d.*, a.requester_number, a.requester_name, a.decided_number, a.decided_name, a.requested_at, a.terminal,
            a.approval_id
        FROM report_deposits d
        LEFT JOIN report_access_control_approvals a
            ON a.project_id = d.project_id AND a.subject = 'deposit:' || d.deposit_id AND a.family = 'deposit'
                AND a.decided_at = d.at
        WHERE d.at > %s AND d.kind = 'deduct' AND (d.photos = 0 OR NOT d.acknowledged)
        """,
        (since,),
    )


async def old_deposits(tx: Tx, before: datetime) -> list[Row]:
    """By project: deposits received before then that are still held."""
    return await tx.fetch_all(
        """
        SELECT company_id, project_id, count(*) AS n, sum(balance_fen)::bigint AS fen, min(received_at) AS oldest
        FROM (SELECT company_id, project_id, deposit_id, min(received_at) AS received_at, sum(amount_fen)::bigint AS balance_fen
              FROM report_deposits GROUP BY company_id, project_id, deposit_id) held
        WHERE received_at < %s AND balance_fen > 0
        GROUP BY company_id, project_id
        """,
        (before,),
    )
