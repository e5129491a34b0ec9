-- As in 0100: what was paid from a wallet came in when the wallet was filled, the day's takings do not hold it again.

create or replace view report_receipt_tenders with (security_invoker = true) as
    select t.company_id, t.receipt_id, t.method as tender, case t.method when 'wallet' then 0 else t.amount_fen end as amount_fen
    from receipt_tenders t;
create or replace view report_receipt_keys with (security_invoker = true) as
    select r.company_id, r.project_id, r.business_date, r.entry_id, r.id as receipt_id, r.book_id, r.number, r.kind, r.at, r.arrived_at,
           r.object, r.cashier, r.cashier_name, r.terminal, r.shift_id, r.total_fen - r.held_fen as total_fen,
           (select b.code from receipt_books b where b.id = r.book_id) as book
    from receipts r;
create or replace view report_receipts with (security_invoker = true) as
    select r.company_id, r.project_id, r.business_date, r.kind, t.method as tender,
           case t.method when 'wallet' then 0 else t.amount_fen end as amount_fen, r.at, r.arrived_at, r.receipt_id,
           r.entry_id, t.line, b.code as book, r.number, r.object, r.cashier, r.cashier_name, r.terminal, r.shift_id,
           (select l.item_name from receipt_lines l where l.receipt_id = r.receipt_id and l.line = 1) as item_name,
           (select count(*) from receipt_lines l where l.receipt_id = r.receipt_id) as items
    from report_receipt_keys r
    join receipt_books b on b.id = r.book_id
    join receipt_tenders t on t.receipt_id = r.receipt_id
    union all
    select company_id, project_id, business_date, kind, tender, total_fen, at, arrived_at, null::bigint, entry_id, 1::smallint,
           null::text, null::bigint, object, cashier, null::text, null::text, null::int, null::text, 0::bigint
    from report_suspense_keys;
