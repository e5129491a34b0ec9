"""A group at its size: 200 projects and their receipts of eight days, written past the hub's code for speed."""

from __future__ import annotations

from tests.support.hub import Admin

_SQL = """
    SET session_replication_role = replica;
    INSERT INTO projects (id, company_id, code, name, kind, created_at)
        SELECT n, 1 + n % 2, 'px' || n, '项目' || n, 'residential', now() FROM generate_series(1001, 1200) n;
    INSERT INTO receipt_books (company_id, project_id, code, kind)
        SELECT company_id, id, upper(code) || '-B', 'counter' FROM projects WHERE id > 1000;
    INSERT INTO ledger_heads (project_id, company_id, seq) SELECT id, company_id, 800 FROM projects WHERE id > 1000
        ON CONFLICT DO NOTHING;
    WITH entries AS (
        INSERT INTO ledger_entries (company_id, project_id, seq, kind, source, asked, booked_at, arrived_at, business_date, body,
                                    content, prev, hash)
        SELECT p.company_id, p.id, d * 1000 + n, 'order', 's' || d || '-' || n, sha256('x'), t, t,
               (t at time zone 'Asia/Shanghai')::date, '{}', sha256('x'), sha256('x'), sha256('x')
        FROM projects p, generate_series(0, 7) d, generate_series(1, {a_day}) n,
             lateral (SELECT timestamptz '2026-11-24 08:00+08' - d * interval '1 day' + n * interval '2 minutes' AS t) x
        WHERE p.id > 1000 RETURNING id, company_id, project_id, seq, booked_at, business_date),
    made AS (
        INSERT INTO receipts (company_id, project_id, book_id, number, kind, entry_id, at, arrived_at, business_date, object,
                              total_fen, change_fen, cashier, cashier_name, terminal, request_key, request_digest)
        SELECT e.company_id, e.project_id, b.id, e.seq, 'order', e.id, e.booked_at, e.booked_at, e.business_date, '1-1-' || e.seq,
               10000 + e.seq, 0, '0201', '收费员', '窗口 1', 'k' || e.id, 'd'
        FROM entries e JOIN receipt_books b ON b.project_id = e.project_id RETURNING id, company_id, total_fen),
    lines AS (
        INSERT INTO receipt_lines (receipt_id, line, company_id, item, item_name, object, formula, principal_fen, late_fee_fen)
        SELECT id, 1, company_id, 'property', '物业费', 'x', 'f', total_fen, 0 FROM made)
    INSERT INTO receipt_tenders (receipt_id, line, company_id, method, tendered_fen, amount_fen)
        SELECT id, 1, company_id, (array['cash', 'pos', 'transfer'])[1 + id % 3], total_fen, total_fen FROM made;
    ANALYZE;
"""


def receipts_of_a_group(admin: Admin, *, a_day: int = 100) -> None:
    """200 projects (ids 1001 .. 1200) with `a_day` receipts each on the eight days to 2026-11-24."""
    admin.execute(_SQL.replace("{a_day}", str(a_day)))
