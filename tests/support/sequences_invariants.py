"""What must hold after every step of tests/together/test_sequences.py, asked of the database as its administrator.

Each query finds what is wrong: a row is a broken invariant. Nothing of the product is used, so that a mistake there cannot hide
itself; `cloud.proof.verify` is asked beside it at the end of a sequence.
"""

from __future__ import annotations

import psycopg

WRONG = {
    "an entry's postings do not balance": """
        SELECT entry_id, sum(amount_fen) FROM ledger_postings GROUP BY entry_id HAVING sum(amount_fen) <> 0
    """,
    "sums by day disagree with the postings": """
        SELECT project_id, day, account, d.fen, p.fen
        FROM (SELECT project_id, day, account, debit_fen - credit_fen AS fen FROM ledger_days) d
        FULL JOIN (SELECT project_id, business_date AS day, account, sum(amount_fen) AS fen
                   FROM ledger_postings GROUP BY 1, 2, 3) p USING (project_id, day, account)
        WHERE coalesce(d.fen, 0) <> coalesce(p.fen, 0)
    """,
    "a wallet is below zero, or not what its movements and the ledger say": """
        SELECT w.id, w.balance_fen, m.fen, l.fen
        FROM wallets w
        LEFT JOIN (SELECT wallet_id, sum(amount_fen) AS fen FROM wallet_movements GROUP BY 1) m ON m.wallet_id = w.id
        LEFT JOIN (SELECT project_id, account, ref, -sum(amount_fen) AS fen FROM ledger_postings WHERE root = 'prepayment'
                   GROUP BY 1, 2, 3) l
            ON l.ref = 'wallet:' || w.id AND l.project_id = w.project_id AND l.account = 'prepayment:' || w.purpose
        WHERE w.balance_fen < 0 OR w.balance_fen <> coalesce(m.fen, 0) OR w.balance_fen <> coalesce(l.fen, 0)
    """,
    "prepayments are not the wallets": """
        SELECT p.fen, w.fen FROM (SELECT coalesce(sum(amount_fen), 0) AS fen FROM ledger_postings WHERE root = 'prepayment') p,
             (SELECT coalesce(sum(balance_fen), 0) AS fen FROM wallets) w WHERE p.fen <> -w.fen
    """,
    "a deposit is below zero, or not what its movements and the ledger say": """
        SELECT d.id, d.balance_fen, m.fen, l.fen
        FROM deposits d
        LEFT JOIN (SELECT deposit_id, sum(amount_fen) AS fen FROM deposit_movements GROUP BY 1) m ON m.deposit_id = d.id
        LEFT JOIN (SELECT ref, -sum(amount_fen) AS fen FROM ledger_postings WHERE root = 'deposit' GROUP BY 1) l
            ON l.ref = 'deposit:' || d.id
        WHERE d.balance_fen < 0 OR d.balance_fen > d.amount_fen OR d.balance_fen <> coalesce(m.fen, 0)
           OR d.balance_fen <> coalesce(l.fen, 0)
    """,
    "receipt numbers have a gap": """
        SELECT b.code, b.first_number, b.taken, count(r.id), max(r.number) FROM receipt_books b
        LEFT JOIN receipts r ON r.book_id = b.id GROUP BY b.id
        HAVING count(r.id) <> coalesce(max(r.number) - b.first_number + 1, 0)
            OR count(r.id) > 0 AND (min(r.number) <> b.first_number OR b.taken <> max(r.number))
    """,
    "a receipt is not the sum of its lines, or of its tenders": """
        SELECT r.id, r.total_fen, l.fen, t.fen, t.back, r.change_fen FROM receipts r
        LEFT JOIN (SELECT receipt_id, sum(principal_fen + late_fee_fen) AS fen FROM receipt_lines GROUP BY 1) l
            ON l.receipt_id = r.id
        LEFT JOIN (SELECT receipt_id, sum(amount_fen) AS fen, sum(tendered_fen - amount_fen) AS back
                   FROM receipt_tenders GROUP BY 1) t ON t.receipt_id = r.id
        WHERE r.total_fen IS DISTINCT FROM l.fen OR r.total_fen IS DISTINCT FROM coalesce(t.fen, 0) OR r.change_fen < 0
           OR r.reverses IS NULL AND r.change_fen <> coalesce(t.back, 0)
    """,
    "a line is paid and open at once, or paid beyond what it asked": """
        SELECT id, status, amount_fen, discount_fen, late_fee_fen, paid_fen, late_paid_fen FROM charge_lines
        WHERE status IN ('open', 'part', 'paid')
          AND ((status = 'paid') <> (amount_fen - discount_fen + late_fee_fen = paid_fen)
               OR (status = 'open') <> (paid_fen = 0 AND amount_fen - discount_fen + late_fee_fen <> 0)
               OR amount_fen > 0 AND NOT (paid_fen - late_paid_fen BETWEEN 0 AND amount_fen - discount_fen
                                          AND discount_fen BETWEEN 0 AND amount_fen AND late_paid_fen BETWEEN 0 AND late_fee_fen)
               OR amount_fen < 0 AND (discount_fen <> 0 OR late_fee_fen <> 0 OR paid_fen NOT IN (0, amount_fen)))
    """,
    "a line does not say what settled it": """
        SELECT c.id, c.paid_fen, c.late_paid_fen, c.discount_fen, p.* FROM charge_lines c
        LEFT JOIN (SELECT q.line_id,
                          sum(q.principal_fen + q.late_fee_fen) FILTER (WHERE coalesce(o.kind, q.kind) = 'payment') AS paid,
                          sum(q.late_fee_fen) FILTER (WHERE coalesce(o.kind, q.kind) = 'payment') AS late,
                          sum(q.principal_fen) FILTER (WHERE coalesce(o.kind, q.kind) <> 'payment') AS off
                   FROM charge_payments q LEFT JOIN charge_payments o ON o.id = q.reverses GROUP BY 1) p ON p.line_id = c.id
        WHERE (c.paid_fen, c.late_paid_fen, c.discount_fen)
              <> (coalesce(p.paid, 0), coalesce(p.late, 0), coalesce(p.off, 0))
    """,
    "what is owed by lines is not what the ledger has as receivable": """
        SELECT project_id, l.fen, p.fen
        FROM (SELECT project_id, sum(amount_fen - discount_fen - (paid_fen - late_paid_fen)) AS fen FROM charge_lines
              WHERE status IN ('open', 'part', 'paid') GROUP BY 1) l
        FULL JOIN (SELECT project_id, sum(amount_fen) AS fen FROM ledger_postings WHERE root = 'receivable' GROUP BY 1) p
            USING (project_id)
        WHERE coalesce(l.fen, 0) <> coalesce(p.fen, 0)
    """,
    "a bill with its adjustments asks for less than nothing": """
        SELECT coalesce(adjusts, id), sum(amount_fen - discount_fen) FROM charge_lines WHERE status IN ('open', 'part', 'paid')
        GROUP BY 1 HAVING sum(amount_fen - discount_fen) < 0
    """,
    "money that lies somewhere is not what was taken less what was paid out": """
        SELECT project_id, a.fen, coalesce(r.fen, 0), coalesce(f.fen, 0), coalesce(o.fen, 0)
        FROM (SELECT project_id, sum(amount_fen) AS fen FROM ledger_postings
              WHERE root IN ('cash_drawer', 'cash_in_transit', 'bank', 'provider_clearing') GROUP BY 1) a
        LEFT JOIN (SELECT project_id, sum(total_fen - held_fen) AS fen FROM receipts GROUP BY 1) r USING (project_id)
        LEFT JOIN (SELECT project_id, sum(amount_fen) AS fen FROM refunds WHERE state = 'paid' GROUP BY 1) f USING (project_id)
        LEFT JOIN (SELECT project_id, sum(amount_fen) AS fen FROM ledger_postings WHERE root = 'over_short' GROUP BY 1) o
            USING (project_id)
        WHERE a.fen <> coalesce(r.fen, 0) - coalesce(f.fen, 0) - coalesce(o.fen, 0)
    """,
    "a refund is not owed as it should be": """
        SELECT f.id, f.state, f.amount_fen, p.fen FROM refunds f
        LEFT JOIN (SELECT ref, -sum(amount_fen) AS fen FROM ledger_postings WHERE root = 'refund_payable' GROUP BY 1) p
            ON p.ref = 'refund:' || f.id
        WHERE coalesce(p.fen, 0) <> CASE f.state WHEN 'paid' THEN 0 ELSE f.amount_fen END
    """,
    "a drawer gave more cash than lay in it": """
        SELECT s.id, s.float_fen, p.fen FROM shifts s
        JOIN (SELECT ref, sum(amount_fen) AS fen FROM ledger_postings WHERE root = 'cash_drawer' GROUP BY 1) p
            ON p.ref = 'shift:' || s.id
        WHERE s.float_fen + p.fen < 0
    """,
    "something was posted into a closed day": """
        SELECT c.project_id, c.day, c.seq, e.seq FROM ledger_periods c JOIN ledger_entries e ON e.project_id = c.project_id
        WHERE c.kind = 'day' AND e.business_date <= c.day AND e.seq > c.seq
    """,
    "a closed day's sheet is not its receipts by tender": """
        SELECT c.project_id, c.day, s.key, s.fen, t.fen
        FROM day_closes c
        CROSS JOIN LATERAL (
            SELECT i ->> 'tender' AS key, sum((i ->> 'fen')::bigint) AS fen
            FROM jsonb_array_elements(c.sheet::jsonb -> 'items') i GROUP BY 1) s
        FULL JOIN (SELECT project_id, business_date AS day, method AS key, sum(amount_fen) AS fen
                   FROM receipt_tenders GROUP BY 1, 2, 3) t
            ON t.project_id = c.project_id AND t.day = c.day AND t.key = s.key
        WHERE coalesce(s.fen, 0) <> coalesce(t.fen, 0)
          AND (c.day IS NOT NULL OR EXISTS (SELECT FROM day_closes d WHERE d.project_id = t.project_id AND d.day = t.day))
    """,
    "a closed day's sheet is not its receipts by item": """
        SELECT c.project_id, c.day, s.key, s.fen, t.fen
        FROM day_closes c
        CROSS JOIN LATERAL (
            SELECT i ->> 'item' AS key, sum((i ->> 'fen')::bigint) AS fen
            FROM jsonb_array_elements(c.sheet::jsonb -> 'items') i GROUP BY 1) s
        FULL JOIN (SELECT r.project_id, r.business_date AS day, l.item AS key, sum(l.principal_fen + l.late_fee_fen) AS fen
                   FROM receipts r JOIN receipt_lines l ON l.receipt_id = r.id GROUP BY 1, 2, 3) t
            ON t.project_id = c.project_id AND t.day = c.day AND t.key = s.key
        WHERE coalesce(s.fen, 0) <> coalesce(t.fen, 0)
          AND (c.day IS NOT NULL OR EXISTS (SELECT FROM day_closes d WHERE d.project_id = t.project_id AND d.day = t.day))
    """,
    "somebody approved what they asked for": """
        SELECT a.id FROM approvals a JOIN approval_decisions d ON d.approval_id = a.id WHERE d.by_user = a.requester
    """,
}


def broken(eyes: psycopg.Connection) -> dict[str, list[tuple[object, ...]]]:
    """What is wrong now: sentence -> the first rows that show it."""
    found = {}
    for what, query in WRONG.items():
        rows = eyes.execute(query).fetchmany(4)
        if rows:
            found[what] = rows
    return found
