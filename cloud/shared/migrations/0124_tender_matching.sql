-- Tender truth (G-09, C-16): transfers, cheques and card payments against the bank's statement and the acquirer's settlement file.

insert into role_permissions (role, permission)
select role, permission
from (values
    ('recon.read', '{hq_finance,hq_auditor}'),
    ('recon.write', '{hq_finance}')
) as matrix (permission, roles), unnest(matrix.roles::text[]) as role;

create table pos_files (
    id int generated always as identity primary key,
    company_id int not null,
    account_id int not null references bank_accounts (id),
    name text not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    at timestamptz not null,
    by_id int not null,
    by_number text not null,
    lines int not null,
    added int not null,
    unique (account_id, sha256)
);
comment on column pos_files.account_id is 'where the acquirer sends the money';

create table pos_batches (
    id int generated always as identity primary key,
    company_id int not null,
    file_id int not null references pos_files (id),
    account_id int not null references bank_accounts (id),
    batch text not null check (length(batch) between 1 and 40),
    day date not null,
    net_fen bigint not null,
    line_id int references bank_lines (id),
    arrived_at timestamptz,
    arrived_by text,
    reason text check (length(reason) between 5 and 200),
    unique (file_id, batch),
    check ((line_id is null) = (arrived_at is null))
);
comment on column pos_batches.net_fen is 'payments less refunds and fees: what reaches the account in one sum';

create table pos_rows (
    id int generated always as identity primary key,
    company_id int not null,
    batch_id int not null references pos_batches (id),
    account_id int not null references bank_accounts (id),
    day date not null,
    reference text not null check (length(reference) between 1 and 60),
    amount_fen bigint not null check (amount_fen <> 0),
    fee_fen bigint not null check (abs(fee_fen) < abs(amount_fen)),
    terminal text not null,
    serial text not null,
    unique (account_id, serial)
);
create index pos_rows_batch on pos_rows (batch_id);

-- Each of ours is matched once, each of theirs is used once, ever.
create table tender_matches (
    company_id int not null,
    ours text not null check (ours ~ '^(tender:[0-9]+:[0-9]+|refund:[0-9]+)$'),
    outside text not null check (outside ~ '^(bank|pos):[0-9]+$'),
    project_id int not null references projects (id),
    amount_fen bigint not null,
    fee_fen bigint not null,
    reason text check (length(reason) between 5 and 200),
    at timestamptz not null,
    by_number text not null,
    by_name text not null,
    entry_id bigint not null references ledger_entries (id),
    primary key (company_id, ours)
);
comment on column tender_matches.reason is 'null: by the reference both sides have; else what headquarters wrote when it decided';
create index tender_matches_outside on tender_matches (outside);
create table pos_row_uses (
    row_id int primary key references pos_rows (id),
    company_id int not null,
    at timestamptz not null,
    by_number text not null
);

-- One reference, two sums: made anew with each comparison.
create table tender_pairs (
    company_id int not null,
    ours text not null,
    outside text not null,
    primary key (company_id, ours)
);

-- Who looks after a difference, and how it ended.
create table tender_cases (
    company_id int not null,
    subject text not null check (subject ~ '^(tender:[0-9]+:[0-9]+|refund:[0-9]+|bank:[0-9]+|pos:[0-9]+)$'),
    owner_id int,
    owner_number text,
    owner_name text,
    taken_at timestamptz,
    resolution text check (resolution in ('corrected', 'not_ours', 'reported')),
    reason text check (length(reason) between 5 and 200),
    resolved_by text,
    resolved_name text,
    resolved_at timestamptz,
    primary key (company_id, subject),
    check ((resolution is null) = (resolved_at is null) and (resolution is null) = (reason is null))
);

select add_company_scope(name) from unnest(array['pos_files', 'pos_batches', 'pos_rows', 'tender_matches', 'pos_row_uses', 'tender_pairs',
                                                 'tender_cases']) as name;
grant select, insert on pos_files, pos_batches, pos_rows, tender_matches, pos_row_uses, tender_cases to gatehouse_app;
grant update (line_id, arrived_at, arrived_by, reason) on pos_batches to gatehouse_app;
grant select, insert, delete on tender_pairs to gatehouse_app;
grant update (owner_id, owner_number, owner_name, taken_at, resolution, reason, resolved_by, resolved_name, resolved_at) on tender_cases
    to gatehouse_app;
grant select on pos_files, pos_batches, pos_rows, tender_matches, pos_row_uses, tender_pairs, tender_cases to gatehouse_read;
create trigger tender_matches_append_only before update or delete or truncate on tender_matches
    for each statement execute function ledger_refuse_change();
create trigger pos_row_uses_append_only before update or delete or truncate on pos_row_uses
    for each statement execute function ledger_refuse_change();

-- The n-th working day of a company after a day.
create function counter_working_day(p_company int, p_since date, p_n int) returns date language sql stable as $$
    select d.day from (
        select g::date as day, row_number() over (order by g) as n
        from generate_series(p_since + 1, p_since + 40, '1 day') g
        left join report_calendar c on c.company_id = p_company and c.day = g::date
        where coalesce(c.works, extract(isodow from g) < 6)) d
    where d.n = p_n
$$;

-- What we say was paid past the drawer: tenders of receipts, and refunds that went back by card.
create view report_counter_tenders with (security_invoker = true) as
    select t.company_id, r.project_id, 'tender:' || t.receipt_id || ':' || t.line as subject,
           case t.method when 'pos' then 'pos' else 'bank' end as channel, t.method, coalesce(t.reference, '') as reference,
           null::text as other_reference, t.amount_fen, r.business_date as day, r.at, r.id as receipt_id,
           b.code || ' ' || lpad(r.number::text, greatest(7, length(r.number::text)), '0') as no, r.object, r.cashier, r.cashier_name,
           (select 'tender:' || o.receipt_id || ':' || o.line
            from receipts x join receipt_tenders o on o.receipt_id = x.id
            where (x.reverses = r.id or x.id = r.reverses) and o.method = t.method
              and o.reference is not distinct from t.reference and o.amount_fen = -t.amount_fen
            limit 1) as mate
    from receipt_tenders t join receipts r on r.id = t.receipt_id join receipt_books b on b.id = r.book_id
    where t.method in ('pos', 'transfer', 'cheque') and t.amount_fen <> 0
    union all
    select f.company_id, f.project_id, 'refund:' || f.id, 'pos', 'pos', coalesce(f.paid_reference, ''), t.reference, -f.amount_fen,
           (f.paid_at at time zone 'Asia/Shanghai')::date, f.paid_at, r.id,
           b.code || ' ' || lpad(r.number::text, greatest(7, length(r.number::text)), '0'), r.object, '', f.paid_by_name, null
    from refunds f
    join receipts r on f.subject = 'receipt:' || r.id
    join receipt_books b on b.id = r.book_id
    join receipt_tenders t on t.receipt_id = r.id and t.method = 'pos'
    where f.way = 'original' and f.state = 'paid';

-- Both sides, each line once. state: match, ours, theirs, differs (UI.md 6). `how`: reference, decided, or void: a receipt and what took
-- it back, of which the other side knows neither. `late_from`: from this day on it is more than two working days old (G-09).
create view report_counter_tender_matches with (security_invoker = true) as
    select o.company_id, o.project_id, o.subject, o.channel, o.method, o.reference, o.day, o.at, o.receipt_id, o.no, o.object, o.cashier,
           o.cashier_name, o.amount_fen as ours_fen,
           case when m.ours is not null then m.amount_fen when p.ours is not null then coalesce(pl.amount_fen, pr.amount_fen) end
               as theirs_fen,
           coalesce(m.fee_fen, 0) as fee_fen, coalesce(m.outside, p.outside) as outside,
           case when m.ours is not null then 'match' when p.ours is not null then 'differs'
                when v.gone then 'match' else 'ours' end as state,
           case when m.ours is null then case when v.gone and p.ours is null then 'void' end
                when m.reason is null then 'reference' else 'decided' end as how,
           m.at as matched_at, m.by_name as matched_by, m.reason as match_reason,
           c.owner_number, c.owner_name, c.taken_at, c.resolution, c.reason, c.resolved_name, c.resolved_at,
           case when m.ours is null and c.resolved_at is null and not (v.gone and p.ours is null)
                then counter_working_day(o.company_id, o.day, 3) end as late_from
    from report_counter_tenders o
    left join tender_matches m on m.company_id = o.company_id and m.ours = o.subject
    left join tender_pairs p on m.ours is null and p.company_id = o.company_id and p.ours = o.subject
    left join bank_lines pl on p.outside = 'bank:' || pl.id
    left join pos_rows pr on p.outside = 'pos:' || pr.id
    left join tender_cases c on c.company_id = o.company_id and c.subject = o.subject
    cross join lateral (select o.mate is not null
        and not exists (select from tender_matches x where x.company_id = o.company_id and x.ours = o.mate)
        and not exists (select from tender_pairs x where x.company_id = o.company_id and x.ours = o.mate) as gone) v
    union all
    select l.company_id, null, 'bank:' || l.id, 'bank', l.kind, l.serial, l.day, null, null, null, l.remark, null, null, null, l.amount_fen,
           0, null, 'theirs', null, null, null, null, c.owner_number, c.owner_name, c.taken_at, c.resolution, c.reason, c.resolved_name,
           c.resolved_at, case when c.resolved_at is null then counter_working_day(l.company_id, l.day, 3) end
    from bank_lines l left join tender_cases c on c.company_id = l.company_id and c.subject = 'bank:' || l.id
    where not exists (select from bank_line_uses u where u.line_id = l.id)
      and not exists (select from tender_pairs p where p.company_id = l.company_id and p.outside = 'bank:' || l.id)
    union all
    select r.company_id, null, 'pos:' || r.id, 'pos', 'pos', r.reference, r.day, null, null, null, '批次 ' || b.batch, null, null, null,
           r.amount_fen, r.fee_fen, null, 'theirs', null, null, null, null, c.owner_number, c.owner_name, c.taken_at, c.resolution,
           c.reason, c.resolved_name, c.resolved_at,
           case when c.resolved_at is null then counter_working_day(r.company_id, r.day, 3) end
    from pos_rows r join pos_batches b on b.id = r.batch_id
    left join tender_cases c on c.company_id = r.company_id and c.subject = 'pos:' || r.id
    where not exists (select from pos_row_uses u where u.row_id = r.id)
      and not exists (select from tender_pairs p where p.company_id = r.company_id and p.outside = 'pos:' || r.id);

-- Batches of an acquirer: did their sum reach the account?
create view report_counter_pos_batches with (security_invoker = true) as
    select b.company_id, b.id as batch_id, b.account_id, b.batch, b.day, b.net_fen, b.line_id, l.amount_fen as arrived_fen, b.arrived_at,
           b.arrived_by, b.reason, case when b.line_id is null then counter_working_day(b.company_id, b.day, 3) end as late_from
    from pos_batches b left join bank_lines l on l.id = b.line_id;
grant select on report_counter_tenders, report_counter_tender_matches, report_counter_pos_batches to gatehouse_app, gatehouse_read;
