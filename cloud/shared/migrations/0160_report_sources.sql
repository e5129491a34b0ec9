-- What reports are made of (REQUIREMENTS 11): one row a smallest amount, each with the ledger entry it came with, so that a report
-- asked "as of ledger sequence n" gives the same figures for ever (R-01, R-17). Views are named for the slice whose data they show.

-- Entries with what a report needs of them; `act` groups what an entry did to a bill; a reversal belongs where its original does.
create view report_ledger_entries with (security_invoker = true) as
    select e.company_id, e.project_id, e.id as entry_id, e.seq, e.business_date, e.kind, e.source, e.booked_at, e.arrived_at, e.reverses,
           case when e.body like '{"relating_to":%' then (e.body::jsonb ->> 'relating_to')::date end as relating_to
    from ledger_entries e;
create view report_ledger_heads with (security_invoker = true) as
    select h.company_id, h.project_id, h.seq, e.id as entry_id
    from ledger_heads h left join ledger_entries e on e.project_id = h.project_id and e.seq = h.seq;
create view report_ledger_moves with (security_invoker = true) as
    select company_id, project_id, entry_id, business_date, account, root, amount_fen from ledger_postings;

-- Money received, one row a part: a line of a receipt as far as one tender paid it. A receipt of several tenders pays its lines in
-- order with its tenders in order, credits first as they make the first tender reach further: as the day's sheet has it (C-34).
create view report_counter_parts with (security_invoker = true) as
    select r.company_id, r.project_id, r.entry_id, r.id as receipt_id, l.line, coalesce(x.n, 1)::smallint as part, r.business_date,
           r.at, r.arrived_at, b.code as book, r.number, b.code || ' ' || lpad(r.number::text, 7, '0') as no, r.kind, r.room_id,
           r.object, l.object as line_object, l.charge_line, l.item, l.item_name, l.period_from, l.period_to,
           coalesce(x.tender, one.tender) as tender, coalesce(x.fen, l.principal_fen + l.late_fee_fen) as amount_fen,
           case when coalesce(x.tender, one.tender) = 'wallet' then 0 else coalesce(x.fen, l.principal_fen + l.late_fee_fen) end
               as received_fen,
           case when coalesce(x.n, 1) = 1 then l.late_fee_fen else 0 end as late_fee_fen,
           case when l.item like 'discount:%' then -coalesce(x.fen, l.principal_fen) else 0 end as discount_fen,
           r.cashier, r.cashier_name, r.terminal, r.shift_id,
           case when r.reverses is not null then 'reversal' when r.replaces is not null then 'replacement'
                when r.business_date < (r.at at time zone 'Asia/Shanghai')::date then 'late_entry' else 'valid' end as status,
           (select n.entry_id from receipts n where n.reverses = r.id) as reversed_entry,
           coalesce((select o.business_date from receipts o where o.id = coalesce(r.reverses, r.replaces)
                     and o.business_date <> r.business_date),
                    (select case when e.body like '{"relating_to":%' then (e.body::jsonb ->> 'relating_to')::date end
                     from ledger_entries e where e.id = r.entry_id)) as relating_to,
           (select p.value from ledger_personal p where p.entry_id = r.entry_id and p.field = 'payer') as payer
    from receipts r
    join receipt_books b on b.id = r.book_id
    join receipt_lines l on l.receipt_id = r.id
    cross join lateral (select count(*) as n, min(t.method) as tender from receipt_tenders t where t.receipt_id = r.id) one
    left join lateral (
        select t.tender, row_number() over (order by t.line) as n,
               w.sign * case when w.own > 0 then least(w.before + w.own, t.upto) - greatest(w.before, t.since) else w.own end as fen
        from (select sign(r.total_fen)::bigint as sign, sign(r.total_fen)::bigint * (l.principal_fen + l.late_fee_fen) as own,
                     coalesce(sum(greatest(sign(r.total_fen) * (o.principal_fen + o.late_fee_fen), 0))
                              filter (where o.line < l.line), 0)::bigint as before,
                     sum(greatest(-sign(r.total_fen) * (o.principal_fen + o.late_fee_fen), 0))::bigint as credits
              from receipt_lines o where o.receipt_id = r.id) w
        cross join lateral (
            select m.method as tender, m.line, row_number() over (order by m.line) = 1 as first,
                   sum(abs(m.amount_fen)) over (order by m.line)::bigint + w.credits as upto,
                   case when row_number() over (order by m.line) = 1 then 0
                        else sum(abs(m.amount_fen)) over (order by m.line)::bigint - abs(m.amount_fen) + w.credits end as since
            from receipt_tenders m where m.receipt_id = r.id) t
        where one.n > 1
          and case when w.own > 0 then least(w.before + w.own, t.upto) > greatest(w.before, t.since) else t.first end) x on true
    union all
    select s.company_id, s.project_id, s.entry_id, null, 1::smallint, 1::smallint, s.business_date, s.at, s.arrived_at, null, null, null,
           s.kind, null, s.object, s.object, null, 'suspense', '待查', null, null, s.tender, s.total_fen, s.total_fen, 0, 0, s.cashier, null, null,
           null, 'suspense', null,
           (select case when e.body like '{"relating_to":%' then (e.body::jsonb ->> 'relating_to')::date end
            from ledger_entries e where e.id = s.entry_id), null
    from report_suspense_keys s;

-- What happened to bills, one row a bill and act, straight from the postings on receivable: summed up it is the ledger's 应收账款.
-- act: opened (brought in), billed, adjusted, cancelled, discount, waiver, bad_debt, collected (by receipt), deducted (from a
-- wallet), offset (from a deposit), refunded (owed again), moved (to another payer: nets to 0), other.
create view report_fees_moves with (security_invoker = true) as
    select m.company_id, m.project_id, m.entry_id, m.business_date, m.line_id, m.n as part, m.kind, m.source, m.act, m.fen as principal_fen,
           m.late_fen as late_fee_fen, c.room_id, c.object, c.payer_id, c.period_from, c.period_to, c.due_date, c.adjusts, i.code as item,
           i.name as item_name, i.category, i.held_for_others, m.relating_to
    from (
        -- Payments and the like name the line; what was given off in the same entry is its own act, and no part of the payment.
        select p.company_id, p.project_id, p.entry_id, p.business_date, k.kind, k.source, k.relating_to, q.n + 10 * p.line as n, q.act, q.fen,
               q.late_fen, case when p.ref like 'line:%' then substr(p.ref, 6)::bigint end as line_id
        from ledger_postings p
        cross join lateral (
            select e.kind, e.source, e.body, coalesce(o.kind, e.kind) as was,
                   case when e.body like '{"relating_to":%' then (e.body::jsonb ->> 'relating_to')::date end as relating_to
            from ledger_entries e left join ledger_entries o on o.id = e.reverses where e.id = p.entry_id) k
        cross join lateral (
            select case k.was when 'counter' then 'collected' when 'order' then 'collected' when 'lane_cash' then 'collected'
                   when 'wallet_deduct' then 'deducted' when 'deposit_offset' then 'offset' when 'deposit_deduct' then 'offset'
                   when 'refund_due' then 'refunded' when 'owner_transfer' then 'moved' when 'waiver' then 'waiver' else 'other' end
                   as does) d
        cross join lateral (
            select 1 as n, d.does as act, p.amount_fen as fen, 0::bigint as late_fen where p.root = 'receivable'
            union all
            select 1, d.does, 0, p.amount_fen where p.account = 'late_fee'
            union all
            select 1, 'waiver', 0, -p.amount_fen where p.account = 'waiver:late_fee'
            union all
            select 1, p.root, -p.amount_fen, 0
                where p.root in ('discount', 'waiver', 'bad_debt') and p.account <> 'waiver:late_fee'
            union all
            select 2, d.does, p.amount_fen, 0
                where p.root in ('discount', 'waiver', 'bad_debt') and p.account <> 'waiver:late_fee') q
        where p.root in ('receivable', 'late_fee', 'discount', 'waiver', 'bad_debt') and p.ref like 'line:%'
        union all
        -- A bill names its batch.
        select p.company_id, p.project_id, p.entry_id, p.business_date, k.kind, k.source, k.relating_to, 1,
               case when k.opened then 'opened' when c.adjusts is not null then 'adjusted' else 'billed' end, c.amount_fen, 0, c.id
        from (select distinct x.company_id, x.project_id, x.entry_id, x.business_date,
                     case when x.ref like 'batch:%' then substr(x.ref, 7)::bigint end as batch
              from ledger_postings x where x.root = 'receivable' and x.ref like 'batch:%') p
        cross join lateral (
            select e.kind, e.source,
                   case when e.body like '{"relating_to":%' then (e.body::jsonb ->> 'relating_to')::date end as relating_to,
                   exists (select from ledger_postings o where o.entry_id = e.id and o.root = 'opening') as opened
            from ledger_entries e where e.id = p.entry_id) k
        join charge_lines c on c.batch = p.batch and c.project_id = p.project_id
        union all
        -- Lines that were cancelled are listed in the entry.
        select e.company_id, e.project_id, e.id, e.business_date, e.kind, e.source, null, 1, 'cancelled', -c.amount_fen, 0, c.id
        from ledger_entries e
        cross join lateral jsonb_array_elements_text(case when e.kind = 'bill_cancel' then e.body::jsonb -> 'lines' end) l (id)
        join charge_lines c on c.id = l.id::bigint
        where e.kind = 'bill_cancel') m
    join charge_lines c on c.id = m.line_id
    join fee_items i on i.id = c.item_id;
create index ledger_entries_cancelled on ledger_entries (project_id, business_date) where kind = 'bill_cancel';

-- Money held, one row a movement, with whose it is.
create view report_wallets_moves with (security_invoker = true) as
    select w.company_id, w.project_id, w.entry_id, w.business_date, w.wallet_id, w.movement_id, w.purpose, w.kind, w.amount_fen, w.line_id,
           w.at, w.by, coalesce(r.code, '业主') as room, coalesce(o.name, p.name) as owner
    from report_wallets w
    left join rooms r on r.id = w.room_id
    left join owners o on o.id = w.owner_id
    left join owners p on p.id = r.payer_id;
create view report_wallets_deposits with (security_invoker = true) as
    select d.company_id, d.project_id, d.entry_id, d.business_date, d.deposit_id, d.movement_id, d.item, d.item_name, d.object, d.kind,
           d.amount_fen, (d.received_at at time zone 'Asia/Shanghai')::date as received_on, d.line_id, d.at, d.by, d.photos,
           d.acknowledged, o.name as owner
    from report_deposits d left join owners o on o.id = d.payer_id;
create view report_wallets_refunds with (security_invoker = true) as
    select f.company_id, f.project_id, f.id as refund_id, f.subject, split_part(f.subject, ':', 1) as what, f.amount_fen, f.way, f.payee_name,
           f.payer_name, f.payee_name = f.payer_name as same_name, f.reason, f.state,
           (f.approved_at at time zone 'Asia/Shanghai')::date as business_date, f.approved_at, f.paid_at, f.paid_by_name,
           e.id as entry_id
    from refunds f left join ledger_entries e on e.project_id = f.project_id and e.source = f.source;

-- Counts of drawers, with what differed and why, and who took the cash over.
create view report_counter_counts with (security_invoker = true) as
    select c.company_id, c.project_id, c.id as count_id, c.business_date, c.at, c.holder, c.holder_name, c.place, c.shift_id, c.n,
           c.counted_fen, c.float_fen, c.drawer_fen, c.variance_fen,
           greatest(c.variance_fen, 0) as over_fen, greatest(-c.variance_fen, 0) as short_fen, v.reason, v.entry_id is not null as posted,
           h.amount_fen as handed_fen, h.state as handed, h.receiver_name, c.head_seq as seq
    from cash_counts c
    left join cash_variances v on v.count_id = c.id
    left join lateral (select x.amount_fen, x.state, x.receiver_name from cash_handovers x
                       where x.count_id = c.id and x.state <> 'refused' order by x.id desc limit 1) h on true;
-- Days that were closed, with their sums as the close signed them.
create view report_counter_closes with (security_invoker = true) as
    select company_id, project_id, id as close_id, day as business_date, closed_at, closed_name, by_system, seq,
           (sheet::jsonb ->> 'takings_fen')::bigint as takings_fen, (sheet::jsonb ->> 'cash_fen')::bigint as cash_fen,
           (sheet::jsonb ->> 'over_short_fen')::bigint as over_short_fen, (sheet::jsonb ->> 'suspense_fen')::bigint as suspense_fen,
           sheet::jsonb -> 'items' as items, left(encode(hash, 'hex'), 16) as head
    from day_closes;
create view report_counter_slips with (security_invoker = true) as
    select s.company_id, s.project_id, s.id as slip_id, (s.made_at at time zone 'Asia/Shanghai')::date as business_date, s.made_at,
           s.deadline, s.days[1] as first_day, s.days[cardinality(s.days)] as last_day, s.amount_fen,
           coalesce(l.fen, 0)::bigint as arrived_fen, l.at as arrived_at, s.depositor, s.depositor_name, s.bank_receipt,
           case when coalesce(l.fen, 0) >= s.amount_fen then 'banked' when l.fen is null then 'transit' else 'short' end as state,
           a.bank || ' ' || a.tail as account
    from deposit_slips s join bank_accounts a on a.id = s.account_id
    left join lateral (select sum(b.amount_fen) as fen, max(b.confirmed_at) as at from bank_lines b where b.slip_id = s.id) l on true;
create view report_counter_prints with (security_invoker = true) as
    select r.company_id, r.project_id, r.entry_id, r.id as receipt_id, b.code || ' ' || lpad(r.number::text, 7, '0') as no, r.object,
           r.total_fen as amount_fen, r.at as receipt_at, p.n, p.id as print_id, p.at, p.by_number, p.by_name,
           (p.at at time zone 'Asia/Shanghai')::date as business_date
    from receipt_prints p join receipts r on r.id = p.receipt_id join receipt_books b on b.id = r.book_id
    where p.n > 1;
create view report_counter_voids with (security_invoker = true) as
    select r.company_id, r.project_id, r.entry_id, r.id as receipt_id, b.code || ' ' || lpad(r.number::text, 7, '0') as no,
           ob.code || ' ' || lpad(o.number::text, 7, '0') as original_no, r.business_date, o.business_date as relating_to, r.at,
           o.at as original_at, r.object, r.total_fen as amount_fen, r.cashier, r.cashier_name, r.terminal, r.reason, r.approved_by,
           n.id is not null as replaced,
           (select count(*) from receipt_prints p where p.receipt_id = o.id and p.at <= r.at) as prints_before
    from receipts r join receipts o on o.id = r.reverses join receipt_books b on b.id = r.book_id
    join receipt_books ob on ob.id = o.book_id left join receipts n on n.replaces = o.id;
create view report_counter_books with (security_invoker = true) as
    select b.company_id, b.project_id, b.book_id, b.code, b.terminal, b.registered_by, b.kind, b.state, b.first_number, b.last_number,
           b.taken, b.counted_note, coalesce((b.registered_at at time zone 'Asia/Shanghai')::date, date '2000-01-01') as registered_on,
           (select count(*) from receipts r where r.book_id = b.book_id) as used,
           (select count(*) from receipts r where r.book_id = b.book_id and r.reverses is not null) as reversed, b.missing
    from report_books b;

-- Stays by the day they ended, what was expected and what was forgone; strokes by hand.
create view report_parking_ended with (security_invoker = true) as
    select s.company_id, s.project_id, s.stay, s.plate, s.category, s.vehicle_class, s.in_lane, coalesce(l.name, s.out_lane) as lane,
           s.entered_at, s.left_at, (s.left_at at time zone 'Asia/Shanghai')::date as business_date,
           extract(hour from s.left_at at time zone 'Asia/Shanghai')::int as hour, s.state, coalesce(s.fee_fen, 0) as expected_fen,
           s.cash_fen, s.online_fen, s.paid_fen, s.unpaid_fen as forgone_fen, s.review
    from report_stays s left join parking_lanes l on l.lane = s.out_lane where s.left_at is not null;
create view report_parking_strokes with (security_invoker = true) as
    select company_id, project_id, lane_name as lane, n, reason, by, reference, at, business_date,
           extract(hour from at at time zone 'Asia/Shanghai')::int as hour
    from report_strokes;
-- Consumption of a register in a month: its last reading less its last one before the month (its first, where there was none).
create view report_metering_usage with (security_invoker = true) as
    select x.company_id, x.project_id, x.meter, x.kind, x.name, x.quantity, x.tariff, x.unit, x.month as business_date, x.readings,
           x.odd, x.last_value, coalesce(lag(x.last_value) over w, x.first_value) as before_value,
           x.last_value - coalesce(lag(x.last_value) over w, x.first_value) as usage, x.last_at
    from (select v.company_id, v.project_id, v.meter, v.kind, v.name, v.quantity, coalesce(v.tariff, 0) as tariff, v.unit,
                 date_trunc('month', v.at at time zone 'Asia/Shanghai')::date as month, count(*) as readings,
                 count(*) filter (where v.quality in ('jump', 'falling')) as odd,
                 (array_agg(v.value order by v.at))[1] as first_value, (array_agg(v.value order by v.at desc))[1] as last_value,
                 max(v.at) as last_at
          from report_readings v group by 1, 2, 3, 4, 5, 6, 7, 8, 9) x
    window w as (partition by x.project_id, x.meter, x.quantity, x.tariff order by x.month);

-- Which entry each project stood at when a report over several projects was made: its printed code asks for the same figures again.
create table report_stands (
    code text not null check (code ~ '^[0-9A-HJKMNP-TV-Z]{8}$'),
    company_id int not null references companies (id),
    projects int[] not null check (cardinality(projects) > 0),
    seqs bigint[] not null check (cardinality(seqs) = cardinality(projects)),
    at timestamptz not null,
    primary key (code, company_id)
);
select add_company_scope('report_stands');
grant select, insert on report_stands to gatehouse_app;
grant select on report_stands to gatehouse_read;

grant select on report_ledger_entries, report_ledger_heads, report_ledger_moves, report_counter_parts, report_fees_moves,
    report_wallets_moves, report_wallets_deposits, report_wallets_refunds, report_counter_counts, report_counter_closes,
    report_counter_slips, report_counter_prints, report_counter_voids, report_counter_books, report_parking_ended, report_parking_strokes,
    report_metering_usage to gatehouse_app, gatehouse_read;
