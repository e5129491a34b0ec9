-- Deposit slips over closed days, bank statements, arrival (C-35 .. C-37), and working days.

-- What the State Council moved: days off that are no weekend, weekends that are worked. 2026: 国办发明电〔2025〕7号.
create table calendar_days (
    day date primary key,
    works boolean not null,
    name text not null
);
grant select on calendar_days to gatehouse_app, gatehouse_read;
insert into calendar_days (day, works, name)
select d::date, false, name
from (values ('2026-01-01', '2026-01-03', '元旦'), ('2026-02-15', '2026-02-23', '春节'), ('2026-04-04', '2026-04-06', '清明节'),
             ('2026-05-01', '2026-05-05', '劳动节'), ('2026-06-19', '2026-06-21', '端午节'), ('2026-09-25', '2026-09-27', '中秋节'),
             ('2026-10-01', '2026-10-07', '国庆节')) as off (first, last, name),
     generate_series(off.first::date, off.last::date, '1 day') d
union all
select day::date, true, name
from (values ('2026-01-04', '元旦调休上班'), ('2026-02-14', '春节调休上班'), ('2026-02-28', '春节调休上班'), ('2026-05-09', '劳动节调休上班'),
             ('2026-09-20', '国庆节调休上班'), ('2026-10-10', '国庆节调休上班')) as worked (day, name);

create table company_days (
    company_id int not null references companies (id),
    day date not null,
    works boolean not null,
    name text not null,
    primary key (company_id, day)
);
comment on table company_days is 'what a company has otherwise than calendar_days; without either Saturday and Sunday are off';
select add_company_scope('company_days');
grant select, insert, update, delete on company_days to gatehouse_app;
grant select on company_days to gatehouse_read;

create table bank_accounts (
    id int generated always as identity primary key,
    company_id int not null references companies (id),
    code text not null check (code ~ '^[a-z0-9_.-]{1,40}$'),
    bank text not null check (length(bank) between 1 and 60),
    tail text not null check (tail ~ '^[0-9]{4}$'),
    holder text not null check (length(holder) between 1 and 60),
    unique (company_id, code)
);
select add_company_scope('bank_accounts');
grant select, insert on bank_accounts to gatehouse_app;
grant select on bank_accounts to gatehouse_read;

create table deposit_slips (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    account_id int not null references bank_accounts (id),
    days date[] not null check (cardinality(days) > 0),
    amount_fen bigint not null check (amount_fen > 0),
    deadline timestamptz not null,
    depositor_id int not null,
    depositor text not null,
    depositor_name text not null,
    made_at timestamptz not null,
    photo text check (photo ~ '^[0-9a-f]{64}$'),
    bank_receipt text check (length(bank_receipt) between 1 and 60),
    difference_fen bigint,
    difference_reason text,
    approval_id bigint,
    difference_entry bigint references ledger_entries (id),
    request_key text not null,
    unique (project_id, request_key)
);
comment on column deposit_slips.photo is 'SHA-256 of the picture of the bank''s receipt';
select add_company_scope('deposit_slips');
grant select, insert, update (photo, bank_receipt, difference_fen, difference_reason, approval_id, difference_entry) on deposit_slips
    to gatehouse_app;
grant select on deposit_slips to gatehouse_read;
alter table cash_handovers add slip_id int references deposit_slips (id);
grant update (slip_id) on cash_handovers to gatehouse_app;

create table bank_statements (
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
create table bank_lines (
    id int generated always as identity primary key,
    company_id int not null,
    statement_id int not null references bank_statements (id),
    account_id int not null references bank_accounts (id),
    day date not null,
    amount_fen bigint not null check (amount_fen > 0),
    remark text not null,
    serial text not null,
    suggested int references deposit_slips (id),
    slip_id int references deposit_slips (id),
    confirmed_by text,
    confirmed_name text,
    confirmed_at timestamptz,
    entry_id bigint references ledger_entries (id),
    unique (account_id, serial),
    check ((slip_id is null) = (confirmed_at is null))
);
comment on table bank_lines is 'money that came in, as the bank says; suggested: the slip it looks like; slip_id: the slip it was confirmed for';
create index bank_lines_slip on bank_lines (slip_id);
select add_company_scope('bank_statements');
select add_company_scope('bank_lines');
grant select, insert on bank_statements, bank_lines to gatehouse_app;
grant update (suggested, slip_id, confirmed_by, confirmed_name, confirmed_at, entry_id) on bank_lines to gatehouse_app;
grant select on bank_statements, bank_lines to gatehouse_read;

-- Cash in transit by who has it, since when (C-37).
create view report_transit with (security_invoker = true) as
    select t.company_id, t.project_id, t.ref, t.fen, s.id as slip_id, s.deadline,
           coalesce(s.depositor, split_part(t.ref, ':', 2)) as holder, coalesce(s.depositor_name, h.name) as holder_name,
           coalesce(s.made_at, h.since) as since
    from (select company_id, project_id, ref, sum(amount_fen)::bigint as fen from ledger_postings
          where root = 'cash_in_transit' group by company_id, project_id, ref having sum(amount_fen) <> 0) t
    left join deposit_slips s on t.ref = 'slip:' || s.id
    left join lateral (select min(o.decided_at) as since, min(o.receiver_name) as name from cash_handovers o
                       where o.project_id = t.project_id and t.ref = 'person:' || o.receiver and o.state = 'confirmed'
                         and o.slip_id is null) h on true;
-- What a day moved to the bank, by project: cash that arrived.
create view report_banked with (security_invoker = true) as
    select company_id, project_id, business_date, amount_fen from ledger_postings where root = 'bank' and ref like 'bank:%';
-- Cash of a project that is not at the bank (without floats), in one row.
create view report_unbanked with (security_invoker = true) as
    select d.company_id, d.project_id,
           (sum(d.amount_fen) - coalesce((select sum(p.amount_fen) from ledger_postings p
                where p.project_id = d.project_id and p.root = 'cash_drawer' and p.ref = 'float:' || d.project_id), 0))::bigint as fen
    from report_ledger_days d where d.root in ('cash_drawer', 'cash_in_transit') group by d.company_id, d.project_id;
create view report_cash_days with (security_invoker = true) as
    select company_id, project_id, business_date as day, amount_fen as fen from receipt_tenders where method = 'cash';
create view report_late_entries with (security_invoker = true) as
    select e.company_id, e.project_id, e.seq, e.kind, e.source, e.business_date, e.booked_at, e.arrived_at,
           (e.body::jsonb ->> 'relating_to')::date as relating_to,
           (select coalesce(sum(p.amount_fen), 0) from ledger_postings p where p.entry_id = e.id and p.amount_fen > 0)::bigint as fen
    from ledger_entries e where e.body like '{"relating_to":%' and left(e.kind, 5) <> 'cash_';
create view report_slips with (security_invoker = true) as
    select s.company_id, s.project_id, s.id as slip_id, s.days, s.amount_fen, s.deadline, s.depositor, s.depositor_name, s.made_at,
           s.difference_entry is not null as settled,
           coalesce((select sum(l.amount_fen) from bank_lines l where l.slip_id = s.id), 0)::bigint as arrived_fen
    from deposit_slips s;
create view report_calendar with (security_invoker = true) as
    select c.id as company_id, d.day, coalesce(o.works, d.works) as works
    from companies c cross join calendar_days d left join company_days o on o.company_id = c.id and o.day = d.day
    union all
    select o.company_id, o.day, o.works from company_days o where not exists (select from calendar_days d where d.day = o.day);
grant select on report_transit, report_banked, report_unbanked, report_cash_days, report_late_entries, report_slips, report_calendar
    to gatehouse_app, gatehouse_read;
