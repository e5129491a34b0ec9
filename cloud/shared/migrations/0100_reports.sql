-- What the pages "today" and "receipts" read beyond the other slices' views, and the public check of a paper receipt.

create index receipts_business_day on receipts (business_date, project_id);
create index receipts_list on receipts (project_id, business_date desc, entry_id desc);
create index receipts_of_project on receipts (project_id, entry_id desc);
create index receipts_object on receipts (object);
create index receipts_number on receipts (number);
create index ledger_entries_suspense on ledger_entries (project_id, business_date desc, id desc) where kind = 'suspense';

-- Receipts without their parts, and money booked to suspense: sums and pages of lists read these alone. `entry_id` is the order in
-- which the hub learned of them.
create view report_receipt_keys with (security_invoker = true) as
    select r.company_id, r.project_id, r.business_date, r.entry_id, r.id as receipt_id, r.book_id, r.number, r.kind, r.at, r.arrived_at,
           r.object, r.cashier, r.cashier_name, r.terminal, r.shift_id, r.total_fen,
           (select b.code from receipt_books b where b.id = r.book_id) as book
    from receipts r;
create view report_receipt_tenders with (security_invoker = true) as
    select t.company_id, t.receipt_id, t.method as tender, t.amount_fen from receipt_tenders t;
create view report_suspense_keys with (security_invoker = true) as
    select e.company_id, e.project_id, e.business_date, e.id as entry_id, e.kind, e.booked_at as at, e.arrived_at, e.source as object,
           case when p.ref like 'guard:%' then split_part(p.ref, ':', 3) end as cashier, p.amount_fen as total_fen,
           case p.root when 'cash_drawer' then 'cash' else p.root end as tender
    from ledger_entries e join ledger_postings p on p.entry_id = e.id and p.root <> 'suspense'
    where e.kind = 'suspense';

-- One row a tender of a receipt and one an amount in suspense, as report_takings, with what a list shows; `line` is 1 in exactly one
-- row a receipt.
create view report_receipts with (security_invoker = true) as
    select r.company_id, r.project_id, r.business_date, r.kind, t.method as tender, t.amount_fen, r.at, r.arrived_at, r.receipt_id,
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

grant select on report_receipt_keys, report_receipt_tenders, report_suspense_keys, report_receipts, report_suspense, report_heads, report_passage_pictures to gatehouse_app, gatehouse_read;

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
