-- Shifts end with a blind count and are handed over to a second person (C-30 .. C-33); guards' drawers likewise (K-26).
-- What was counted, explained and handed over is only ever inserted; the money moves by ledger entries.

alter table shifts
    add closed_by text check (length(closed_by) between 1 and 40),
    add close_reason text check (length(close_reason) between 2 and 200),
    add frozen_at timestamptz,
    add settled_at timestamptz;
comment on column shifts.closed_at is 'from then on nobody takes money in it: it was counted, or closed administratively (close_reason)';
comment on column shifts.settled_at is 'its drawer is empty: handed over, and what differed is posted';
create index shifts_unsettled on shifts (project_id) where settled_at is null;
grant update (closed_by, close_reason, frozen_at, settled_at) on shifts to gatehouse_app;

create table cash_counts (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    drawer text not null check (drawer ~ '^(shift:[0-9]+|guard:[^[:cntrl:]]+)$'),
    shift_id int references shifts (id),
    n int not null check (n > 0),
    holder_id int,
    holder text not null,
    holder_name text not null,
    place text not null,
    by_id int not null,
    by_number text not null,
    by_name text not null,
    at timestamptz not null,
    business_date date not null,
    reason text,
    notes jsonb not null,
    counted_fen bigint not null check (counted_fen >= 0),
    float_fen bigint not null check (float_fen >= 0),
    drawer_fen bigint not null,
    variance_fen bigint not null generated always as (counted_fen - float_fen - drawer_fen) stored,
    takings jsonb not null,
    head_seq bigint not null,
    head_hash bytea not null check (length(head_hash) = 32),
    request_key text not null,
    unique (drawer, project_id, n),
    unique (project_id, request_key)
);
comment on column cash_counts.drawer_fen is 'cash that the ledger expected in the drawer beside the float, when the count was stored';
comment on column cash_counts.takings is 'what the drawer took by tender: [{"tender", "receipts", "fen"}], receipts from-to per book, reprints';
create index cash_counts_project on cash_counts (project_id, business_date);
create index cash_counts_shift on cash_counts (shift_id);

create table cash_variances (
    count_id int primary key references cash_counts (id),
    company_id int not null,
    project_id int not null,
    amount_fen bigint not null check (amount_fen <> 0),
    reason text not null check (length(reason) between 2 and 200),
    by_id int not null,
    by_number text not null,
    by_name text not null,
    at timestamptz not null,
    approval_id bigint,
    entry_id bigint references ledger_entries (id)
);
comment on column cash_variances.entry_id is 'null: waits for an approval';

create table cash_handovers (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    count_id int not null references cash_counts (id),
    amount_fen bigint not null check (amount_fen >= 0),
    float_fen bigint not null check (float_fen >= 0),
    offered_by int not null,
    offered_number text not null,
    offered_at timestamptz not null,
    state text not null default 'waiting' check (state in ('waiting', 'confirmed', 'refused')),
    receiver_id int,
    receiver text,
    receiver_name text,
    decided_at timestamptz,
    refusal text,
    entry_id bigint references ledger_entries (id),
    check ((state = 'waiting') = (receiver_id is null)),
    check (receiver_id <> offered_by)
);
create unique index cash_handovers_one on cash_handovers (count_id) where state <> 'refused';
create index cash_handovers_receiver on cash_handovers (project_id, receiver_id) where state = 'confirmed';

select add_company_scope('cash_counts');
select add_company_scope('cash_variances');
select add_company_scope('cash_handovers');
grant select, insert on cash_counts, cash_variances, cash_handovers to gatehouse_app;
grant update (approval_id, entry_id) on cash_variances to gatehouse_app;
grant update (state, receiver_id, receiver, receiver_name, decided_at, refusal, entry_id) on cash_handovers to gatehouse_app;
grant select on cash_counts, cash_variances, cash_handovers to gatehouse_read;

-- As in 0091; a shift's cash stays with its cashier until somebody else has confirmed it.
create or replace view report_drawers with (security_invoker = true) as
    select s.company_id, s.project_id, 'counter' as kind, s.id as shift_id, s.user_number as holder, s.user_name as holder_name,
           s.terminal, s.opened_at, s.float_fen,
           coalesce((select sum(p.amount_fen) from ledger_postings p
                     where p.project_id = s.project_id and p.root = 'cash_drawer' and p.ref = 'shift:' || s.id), 0)::bigint as cash_fen,
           s.closed_at, s.frozen_at
    from shifts s where s.settled_at is null
    union all
    select p.company_id, p.project_id, 'lane', null, split_part(p.ref, ':', 3), null, split_part(p.ref, ':', 2), null, 0,
           sum(p.amount_fen)::bigint, null, null
    from ledger_postings p where p.root = 'cash_drawer' and p.ref like 'guard:%'
    group by p.company_id, p.project_id, p.ref
    having sum(p.amount_fen) <> 0;
