-- Prepayments (REQUIREMENTS 9): wallets of a room or an owner by purpose, their movements, refunds of them and of deposits.

insert into ledger_accounts (code, name, kind) values ('refund_payable', '应付退款', 'liability') on conflict do nothing;

create table wallet_settings (
    project_id int primary key references projects (id),
    company_id int not null,
    partial boolean not null,
    low_days int not null check (low_days between 1 and 90),
    set_by text not null,
    set_at timestamptz not null
);
comment on column wallet_settings.partial is 'false: automatic deduction pays a line in full or not at all (Q-65)';

create table wallets (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    room_id int references rooms (id),
    owner_id int references owners (id),
    purpose text not null check (purpose in ('general', 'property', 'water', 'electricity', 'heating', 'parking')),
    balance_fen bigint not null default 0,
    low_fen bigint check (low_fen > 0),
    auto_deduct boolean not null default true,
    constraint wallets_one_holder check ((room_id is null) <> (owner_id is null)),
    constraint wallets_never_below_zero check (balance_fen >= 0),
    unique nulls not distinct (project_id, room_id, owner_id, purpose)
);
create index wallets_room on wallets (room_id);
create index wallets_owner on wallets (owner_id);
comment on column wallets.balance_fen is 'the sum of its movements, kept by wallet_move alone; wallets.faults compares both with the ledger (V-03, V-09)';

create table wallet_movements (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    wallet_id bigint not null references wallets (id),
    kind text not null check (kind in ('top_up', 'deduct', 'refund', 'transfer', 'adjust', 'reversal')),
    amount_fen bigint not null check (amount_fen <> 0),
    balance_fen bigint not null check (balance_fen >= 0),
    source text not null check (source !~ '[[:cntrl:]]' and length(source) between 1 and 200),
    line_id bigint references charge_lines (id),
    reverses bigint unique references wallet_movements (id),
    at timestamptz not null,
    by text not null,
    unique nulls not distinct (wallet_id, source, line_id, reverses),
    check ((kind = 'reversal') = (reverses is not null))
);
comment on column wallet_movements.source is 'the source of the ledger entry that moved the money: by it the receipt is found (V-03)';
create index wallet_movements_source on wallet_movements (project_id, source);

-- A refund that was approved: the money is off the wallet or deposit and owed to the payee until it is paid out.
create table refunds (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    subject text not null check (subject ~ '^(wallet|deposit|receipt):[0-9]+$'),
    approval_id bigint not null unique,
    amount_fen bigint not null check (amount_fen > 0),
    way text not null check (way in ('cash', 'transfer', 'original')),
    payee_name text not null check (length(payee_name) between 1 and 60),
    payee_account text not null default '' check (length(payee_account) <= 60),
    payer_name text not null,
    reason text not null,
    requested_by int not null,
    approved_by int not null,
    approved_at timestamptz not null,
    source text not null,
    state text not null default 'approved' check (state in ('approved', 'paid')),
    paid_by int,
    paid_by_name text,
    paid_at timestamptz,
    paid_source text,
    paid_reference text,
    check ((state = 'paid') = (paid_by is not null and paid_at is not null and paid_source is not null))
);
create index refunds_open on refunds (project_id, approved_at) where state = 'approved';
create index refunds_subject on refunds (project_id, subject);

create table wallet_alarms (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    wallet_id bigint not null references wallets (id),
    at timestamptz not null,
    balance_fen bigint not null,
    reason text not null check (reason in ('limit', 'days'))
);
create index wallet_alarms_wallet on wallet_alarms (wallet_id, at desc);
comment on table wallet_alarms is 'who was told that a wallet runs low, and when: at most every 3 days (V-04)';

create sequence wallet_runs;
comment on sequence wallet_runs is 'numbers the ledger sources of deductions, transfers and refunds: deduct:12';
grant usage on sequence wallet_runs to gatehouse_app;

select add_company_scope(name) from unnest(array['wallet_settings', 'wallets', 'wallet_movements', 'refunds', 'wallet_alarms']) as name;
grant select, insert, update (partial, low_days, set_by, set_at) on wallet_settings to gatehouse_app;
grant select, insert, update (balance_fen, low_fen, auto_deduct) on wallets to gatehouse_app;
grant select, insert on wallet_movements, wallet_alarms to gatehouse_app;
grant select, insert, update (state, paid_by, paid_by_name, paid_at, paid_source, paid_reference) on refunds to gatehouse_app;
grant select on wallet_settings, wallets, wallet_movements, refunds, wallet_alarms to gatehouse_read;

create trigger wallet_movements_append_only before update or delete or truncate on wallet_movements
    for each statement execute function ledger_refuse_change();

-- Moves a wallet's money in one round trip. Outcome: moved, repeated (the movement is there already), conflict (with another amount or
-- kind), short, no_wallet. The wallet stays locked until the transaction ends, so that nobody spends the same money.
create function wallet_move(
    p_wallet bigint, p_amount bigint, p_kind text, p_source text, p_line bigint, p_reverses bigint, p_at timestamptz, p_by text
) returns table (outcome text, movement_id bigint, balance bigint, purpose text) language plpgsql as $$
declare
    one wallets;
    known wallet_movements;
    v_id bigint;
begin
    select * into one from wallets w where w.id = p_wallet for update;
    if one.id is null then
        return query select 'no_wallet', null::bigint, null::bigint, null::text;
        return;
    end if;
    select * into known from wallet_movements m
        where m.wallet_id = p_wallet and m.source = p_source and m.line_id is not distinct from p_line
          and m.reverses is not distinct from p_reverses;
    if known.id is not null then
        return query select case when (known.amount_fen, known.kind) = (p_amount, p_kind) then 'repeated' else 'conflict' end,
                            known.id, one.balance_fen, one.purpose;
        return;
    end if;
    if one.balance_fen + p_amount < 0 then
        return query select 'short', null::bigint, one.balance_fen, one.purpose;
        return;
    end if;
    update wallets w set balance_fen = w.balance_fen + p_amount where w.id = p_wallet;
    insert into wallet_movements (company_id, project_id, wallet_id, kind, amount_fen, balance_fen, source, line_id, reverses, at, by)
        values (one.company_id, one.project_id, p_wallet, p_kind, p_amount, one.balance_fen + p_amount, p_source, p_line, p_reverses,
                p_at, p_by)
        returning id into v_id;
    return query select 'moved', v_id, one.balance_fen + p_amount, one.purpose;
end $$;

-- By the business day of the entry: summed up to a day it is the balance as of that day, and equals the ledger (V-09).
create view report_wallets with (security_invoker = true) as
    select w.company_id, w.project_id, w.id as wallet_id, w.room_id, w.owner_id, w.purpose, e.business_date, e.id as entry_id,
           m.id as movement_id, m.kind, m.amount_fen, m.balance_fen as balance_after_fen, m.source, m.line_id, m.at, m.by
    from wallets w join wallet_movements m on m.wallet_id = w.id
    join ledger_entries e on e.project_id = m.project_id and e.source = m.source;
create view report_refunds with (security_invoker = true) as
    select id, company_id, project_id, subject, amount_fen, way, payee_name, payee_account, payer_name, payee_name = payer_name as same_name,
           requested_by, approved_by, approved_at, state, paid_by, paid_at from refunds;
grant select on report_wallets, report_refunds to gatehouse_app, gatehouse_read;
