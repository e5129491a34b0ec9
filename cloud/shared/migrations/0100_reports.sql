-- What the pages "today" and "receipts" read beyond the other slices' views, and the public check of a paper receipt.

create index receipts_business_day on receipts (business_date, project_id);

-- One row a tender of a receipt and one an amount in suspense, as report_takings, in the order the hub learned of them (`ref`
-- descending), with what a list shows. `line` is 1 in exactly one row a receipt.
create view report_receipts with (security_invoker = true) as
    select r.company_id, r.project_id, r.business_date, r.kind, t.method as tender, t.amount_fen, r.at, r.arrived_at,
           r.id as receipt_id, r.entry_id * 16 + t.line as ref, t.line::int as line, b.code as book, r.number, r.object,
           r.cashier, r.cashier_name, r.terminal, r.shift_id, r.order_no,
           (select min(l.item_name) filter (where l.line = 1) from receipt_lines l where l.receipt_id = r.id) as item_name,
           (select count(*) from receipt_lines l where l.receipt_id = r.id)::int as items
    from receipts r
    join receipt_books b on b.id = r.book_id
    join receipt_tenders t on t.receipt_id = r.id
    union all
    select e.company_id, e.project_id, e.business_date, e.kind, case p.root when 'cash_drawer' then 'cash' else p.root end,
           p.amount_fen, e.booked_at, e.arrived_at, null, e.id * 16 + p.line, 1, null, null, e.source,
           case when p.ref like 'guard:%' then split_part(p.ref, ':', 3) end, null, null, null, null, null, 0
    from ledger_entries e
    join ledger_postings p on p.entry_id = e.id and p.root <> 'suspense'
    where e.kind = 'suspense';

-- Money that came in and nobody has explained yet, by what it came with.
create view report_suspense with (security_invoker = true) as
    select p.company_id, p.project_id, p.ref, min(e.booked_at) as since, -sum(p.amount_fen)::bigint as amount_fen
    from ledger_postings p join ledger_entries e on e.id = p.entry_id
    where p.root = 'suspense'
    group by p.company_id, p.project_id, p.ref
    having sum(p.amount_fen) <> 0;

create view report_heads with (security_invoker = true) as
    select company_id, project_id, seq from ledger_heads;

-- Passages with the colour the camera saw and the thumbnail, once it has come.
create view report_passage_pictures with (security_invoker = true) as
    select p.company_id, p.project_id, p.box, p.epoch, p.seq, p.lane, coalesce(l.name, p.lane) as lane_name, p.direction, p.stay,
           p.plate, p.plate_read, p.plate_colour, p.vehicle_class, p.category, p.entered_at, p.fee_fen, p.paid_fen, p.at, p.received_at,
           c.sha256 as picture
    from parking_passages p
    left join parking_lanes l on l.lane = p.lane
    left join box_pictures c on c.box = p.box and c.sha256 = p.snapshot ->> 'sha256';
create index parking_passages_latest on parking_passages (project_id, received_at desc);

grant select on report_receipts, report_suspense, report_heads, report_passage_pictures to gatehouse_app, gatehouse_read;

-- A receipt by what its paper says, before a scope is known: book, number, and the first five bytes of its entry's hash. Nothing
-- without the code, and nothing of the payer.
create function receipt_by_code(p_book text, p_number bigint, p_prefix bytea)
    returns table (receipt_id bigint, entity text, project text, at timestamptz, total_fen bigint, object text, reversed boolean,
                   prints bigint)
    language sql stable security definer set search_path = public, pg_temp as $$
    select r.id, c.name, p.name, r.at, r.total_fen, r.object,
           r.reverses is not null or exists (select from receipts x where x.reverses = r.id),
           (select count(*) from receipt_prints q where q.receipt_id = r.id)
    from receipts r
    join receipt_books b on b.id = r.book_id and b.code = p_book
    join ledger_entries e on e.id = r.entry_id
    join projects p on p.id = r.project_id
    join companies c on c.id = r.company_id
    where r.number = p_number and length(p_prefix) = 5 and substr(e.hash, 1, 5) = p_prefix
    limit 1
$$;
revoke all on function receipt_by_code(text, bigint, bytea) from public;
grant execute on function receipt_by_code(text, bigint, bytea) to gatehouse_app;
