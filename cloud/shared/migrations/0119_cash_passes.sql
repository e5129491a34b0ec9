-- Cash in transit changes hands between two people before it is at the bank (C-37); its age goes on. What a slip came short of may be
-- asked for by whoever makes slips (C-36); the day its cash was handed in at the bank is kept.

create table cash_passes (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    handovers int[] not null check (cardinality(handovers) > 0),
    days date[] not null check (cardinality(days) > 0),
    amount_fen bigint not null check (amount_fen > 0),
    from_id int not null,
    from_number text not null,
    from_name text not null,
    offered_at timestamptz not null,
    state text not null default 'waiting' check (state in ('waiting', 'confirmed', 'refused', 'withdrawn')),
    receiver_id int,
    receiver text,
    receiver_name text,
    decided_at timestamptz,
    refusal text,
    entry_id bigint references ledger_entries (id),
    request_key text not null,
    unique (project_id, request_key),
    check ((state in ('confirmed', 'refused')) = (receiver_id is not null)),
    check (receiver_id <> from_id)
);
comment on table cash_passes is 'cash of these hand-overs goes on from one person to another, who confirms the amount';
create index cash_passes_project on cash_passes (project_id, state);
select add_company_scope('cash_passes');
grant select, insert on cash_passes to gatehouse_app;
grant update (state, receiver_id, receiver, receiver_name, decided_at, refusal, entry_id) on cash_passes to gatehouse_app;
grant select on cash_passes to gatehouse_read;

alter table cash_handovers
    add passing boolean not null default false,
    add bearer_id int,
    add bearer text,
    add bearer_name text;
comment on column cash_handovers.passing is 'offered to somebody else: on no slip meanwhile';
comment on column cash_handovers.bearer_id is 'who has the cash after it was passed on; null: its receiver';
grant update (passing, bearer_id, bearer, bearer_name) on cash_handovers to gatehouse_app;

-- As in 0095; cash that was passed on is its bearer's, as old as it is.
create or replace view report_transit with (security_invoker = true) as
    select t.company_id, t.project_id, t.ref, t.fen, s.id as slip_id, s.deadline,
           coalesce(s.depositor, split_part(t.ref, ':', 2)) as holder, coalesce(s.depositor_name, h.name) as holder_name,
           coalesce(s.made_at, h.since) as since
    from (select company_id, project_id, ref, sum(amount_fen)::bigint as fen from ledger_postings
          where root = 'cash_in_transit' group by company_id, project_id, ref having sum(amount_fen) <> 0) t
    left join deposit_slips s on t.ref = 'slip:' || s.id
    left join lateral (select min(o.decided_at) as since, min(coalesce(o.bearer_name, o.receiver_name)) as name
                       from cash_handovers o
                       where o.project_id = t.project_id and t.ref = 'person:' || coalesce(o.bearer, o.receiver)
                         and o.state = 'confirmed' and o.slip_id is null) h on true;

alter table deposit_slips add bank_day date;
comment on column deposit_slips.bank_day is 'when the cash was handed in at the bank, as its receipt says';
grant update (bank_day) on deposit_slips to gatehouse_app;

insert into approval_kinds (position, code, name, request, approvers, family, window_days) values
    (16, 'slip.difference', '缴款差异', 'slip.write', '{sub_manager,hq_finance}', 'variance', 1);
insert into approval_tiers (kind, version, up_to_fen, roles, set_at, set_by) values
    ('slip.difference', 1, 200000, '{sub_manager,hq_finance}', '2026-01-01 00:00+08', 'system'),
    ('slip.difference', 1, null, '{hq_finance}', '2026-01-01 00:00+08', 'system');
