-- Deposits (押金, F-11, Q-66): money held for the payer, never income until deducted. A row a deposit, movements append-only.

create table deposits (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    item_id int not null references fee_items (id),
    room_id int references rooms (id),
    object text not null check (length(object) between 1 and 80),
    payer_id int references owners (id),
    purpose text not null check (length(purpose) between 1 and 200),
    condition text not null default '' check (length(condition) <= 400),
    amount_fen bigint not null check (amount_fen > 0),
    balance_fen bigint not null,
    source text not null check (source !~ '[[:cntrl:]]' and length(source) between 1 and 200),
    received_at timestamptz not null,
    received_by text not null,
    constraint deposits_balance check (balance_fen between 0 and amount_fen),
    constraint deposits_holder check (room_id is not null or payer_id is not null),
    unique (project_id, source, item_id, object)
);
create index deposits_room on deposits (room_id);
create index deposits_held on deposits (project_id, received_at) where balance_fen > 0;

create table deposit_inspections (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    deposit_id bigint not null references deposits (id),
    on_day date not null,
    passed boolean not null,
    notes text not null check (length(notes) between 2 and 1000),
    photos text[] not null default '{}' check (array_to_string(photos, ',') ~ '^([0-9a-f]{64}(,[0-9a-f]{64})*)?$'),
    acknowledged_by text check (length(acknowledged_by) between 1 and 60),
    acknowledged_on date,
    at timestamptz not null,
    by text not null,
    by_name text not null,
    key text not null check (length(key) between 1 and 80),
    unique (deposit_id, key),
    check ((acknowledged_by is null) = (acknowledged_on is null))
);
create index deposit_inspections_deposit on deposit_inspections (deposit_id);
comment on column deposit_inspections.photos is 'SHA-256 of the files';

create table deposit_movements (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    deposit_id bigint not null references deposits (id),
    kind text not null check (kind in ('receive', 'deduct', 'offset', 'refund', 'reversal')),
    amount_fen bigint not null check (amount_fen <> 0),
    balance_fen bigint not null check (balance_fen >= 0),
    source text not null check (source !~ '[[:cntrl:]]' and length(source) between 1 and 200),
    line_id bigint references charge_lines (id),
    inspection_id bigint references deposit_inspections (id),
    reverses bigint unique references deposit_movements (id),
    reason text not null default '',
    at timestamptz not null,
    by text not null,
    unique nulls not distinct (deposit_id, source, line_id, reverses),
    check ((kind = 'reversal') = (reverses is not null))
);
create index deposit_movements_source on deposit_movements (project_id, source);

select add_company_scope(name) from unnest(array['deposits', 'deposit_inspections', 'deposit_movements']) as name;
grant select, insert, update (balance_fen) on deposits to gatehouse_app;
grant select, insert on deposit_inspections, deposit_movements to gatehouse_app;
grant select on deposits, deposit_inspections, deposit_movements to gatehouse_read;
create trigger deposit_movements_append_only before update or delete or truncate on deposit_movements
    for each statement execute function ledger_refuse_change();
create trigger deposit_inspections_append_only before update or delete or truncate on deposit_inspections
    for each statement execute function ledger_refuse_change();

-- As wallet_move: moved, repeated, conflict, short, no_deposit.
create function deposit_move(
    p_deposit bigint, p_amount bigint, p_kind text, p_source text, p_line bigint, p_inspection bigint, p_reverses bigint, p_reason text,
    p_at timestamptz, p_by text
) returns table (outcome text, balance bigint, item text) language plpgsql as $$
declare
    one deposits;
    known deposit_movements;
    v_item text;
begin
    select * into one from deposits d where d.id = p_deposit for update;
    if one.id is null then
        return query select 'no_deposit', null::bigint, null::text;
        return;
    end if;
    select code into v_item from fee_items i where i.id = one.item_id;
    select * into known from deposit_movements m
        where m.deposit_id = p_deposit and m.source = p_source and m.line_id is not distinct from p_line
          and m.reverses is not distinct from p_reverses;
    if known.id is not null then
        return query select case when (known.amount_fen, known.kind) = (p_amount, p_kind) then 'repeated' else 'conflict' end,
                            one.balance_fen, v_item;
        return;
    end if;
    if one.balance_fen + p_amount not between 0 and one.amount_fen then
        return query select 'short', one.balance_fen, v_item;
        return;
    end if;
    update deposits d set balance_fen = d.balance_fen + p_amount where d.id = p_deposit;
    insert into deposit_movements (company_id, project_id, deposit_id, kind, amount_fen, balance_fen, source, line_id, inspection_id,
                                   reverses, reason, at, by)
        values (one.company_id, one.project_id, p_deposit, p_kind, p_amount, one.balance_fen + p_amount, p_source, p_line, p_inspection,
                p_reverses, p_reason, p_at, p_by);
    return query select 'moved', one.balance_fen + p_amount, v_item;
end $$;

create view report_deposits with (security_invoker = true) as
    select d.company_id, d.project_id, d.id as deposit_id, i.code as item, i.name as item_name, d.room_id, d.object, d.payer_id,
           d.received_at, e.business_date, e.id as entry_id, m.id as movement_id, m.kind, m.amount_fen,
           m.balance_fen as balance_after_fen, m.source, m.line_id, m.at, m.by,
           coalesce(cardinality(n.photos), 0) as photos, n.acknowledged_by is not null as acknowledged
    from deposits d join fee_items i on i.id = d.item_id join deposit_movements m on m.deposit_id = d.id
    left join deposit_inspections n on n.id = m.inspection_id
    join ledger_entries e on e.project_id = m.project_id and e.source = m.source;
comment on view report_deposits is 'deductions without photos or acknowledgement are an alarm (G-07)';
grant select on report_deposits to gatehouse_app, gatehouse_read;
