-- What reports and the page "today" read of money taken (DESIGN 1).

-- One row a tender of a receipt, and one an amount in suspense: HQ's sum holds what came in, explained or not.
-- at: when it was taken; arrived_at: when the hub learned of it (promise 0.1).
create view report_takings with (security_invoker = true) as
    select r.company_id, r.project_id, r.business_date, t.method as tender, r.kind, t.amount_fen, r.at, r.arrived_at,
           r.id as receipt_id, b.code as book, r.number, r.object, r.cashier, r.cashier_name, r.terminal
    from receipts r
    join receipt_books b on b.id = r.book_id
    join receipt_tenders t on t.receipt_id = r.id
    union all
    select e.company_id, e.project_id, e.business_date, case p.root when 'cash_drawer' then 'cash' else p.root end, e.kind,
           p.amount_fen, e.booked_at, e.arrived_at, null, null, null, e.source, null, null, null
    from ledger_entries e
    join ledger_postings p on p.entry_id = e.id and p.root <> 'suspense'
    where e.kind = 'suspense';

-- Cash that lies at a project now, by who holds it: open counter shifts, and guards with lane cash not yet handed over.
create view report_drawers with (security_invoker = true) as
    select s.company_id, s.project_id, 'counter' as kind, s.id as shift_id, s.user_number as holder, s.user_name as holder_name,
           s.terminal, s.opened_at, s.float_fen,
           coalesce((select sum(p.amount_fen) from ledger_postings p
                     where p.project_id = s.project_id and p.root = 'cash_drawer' and p.ref = 'shift:' || s.id), 0)::bigint as cash_fen
    from shifts s where s.closed_at is null
    union all
    select p.company_id, p.project_id, 'lane', null, split_part(p.ref, ':', 3), null, split_part(p.ref, ':', 2), null, 0,
           sum(p.amount_fen)::bigint
    from ledger_postings p where p.root = 'cash_drawer' and p.ref like 'guard:%'
    group by p.company_id, p.project_id, p.ref
    having sum(p.amount_fen) <> 0;

grant select on report_takings, report_drawers to gatehouse_app, gatehouse_read;
