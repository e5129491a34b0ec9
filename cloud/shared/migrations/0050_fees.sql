-- Fee items and charge lines (REQUIREMENTS 5.1). Standards, terms and generation come later and fill the same columns.

create table fee_items (
    id int generated always as identity primary key,
    company_id int not null,
    code text not null check (code ~ '^[a-z0-9_.-]{1,40}$'),
    name text not null check (length(name) between 1 and 60),
    category text not null check (category in
        ('recurring', 'metered', 'apportioned', 'one_off', 'deposit', 'prepayment', 'agency', 'parking', 'late_fee', 'rent')),
    held_for_others boolean not null,
    part_payment boolean not null,
    allocation_priority int not null,
    print_order int not null,
    active boolean not null default true,
    unique (company_id, code)
);
comment on column fee_items.held_for_others is 'the money belongs to a third party (代收): never revenue (F-12)';

create sequence charge_batches;

create table charge_lines (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    item_id int not null references fee_items (id),
    standard_version text,
    room_id int references rooms (id),
    object text not null check (length(object) between 1 and 80),
    payer_id int references owners (id),
    period_from date not null,
    period_to date not null,
    quantity numeric,
    unit_price numeric,
    formula text not null,
    amount_fen bigint not null,
    late_fee_fen bigint not null default 0 check (late_fee_fen >= 0),
    discount_fen bigint not null default 0,
    paid_fen bigint not null default 0,
    due_date date not null,
    status text not null default 'open' check (status in ('draft', 'open', 'part', 'paid', 'cancelled')),
    adjusts bigint references charge_lines (id),
    batch bigint not null,
    created_at timestamptz not null,
    created_by text not null,
    check (period_to > period_from),
    constraint charge_lines_paid check (amount_fen < 0 or paid_fen between 0 and amount_fen + late_fee_fen - discount_fen)
);
comment on table charge_lines is 'The line number is id. Periods are half-open. An item, object and period has one live line (F-09)';
create unique index charge_lines_once on charge_lines (project_id, item_id, object, period_from, period_to)
    where status <> 'cancelled' and adjusts is null;
create index charge_lines_open on charge_lines (project_id, room_id, due_date) include (amount_fen, paid_fen)
    where status in ('open', 'part');
create index charge_lines_payer on charge_lines (payer_id) where status in ('open', 'part');
create index charge_lines_batch on charge_lines (batch);

select add_company_scope('fee_items');
select add_company_scope('charge_lines');
grant select, insert, update (name, category, held_for_others, part_payment, allocation_priority, print_order, active)
    on fee_items to gatehouse_app;
grant select, insert, update (paid_fen, status) on charge_lines to gatehouse_app;
grant usage on sequence charge_batches to gatehouse_app;
grant select on fee_items, charge_lines to gatehouse_read;

-- One text for all lines of a batch, as it was billed: what the bill's ledger entry holds the SHA-256 of.
create function charge_batch_digest(p_batch bigint) returns text language sql stable as $$
    select encode(sha256(convert_to(coalesce(string_agg(concat_ws(' ', c.id, c.project_id, i.code, c.object, c.payer_id,
        to_char(c.period_from, 'YYYY-MM-DD'), to_char(c.period_to, 'YYYY-MM-DD'), c.amount_fen, to_char(c.due_date, 'YYYY-MM-DD'),
        c.formula), E'\n' order by c.id), ''), 'UTF8')), 'hex')
    from charge_lines c join fee_items i on i.id = c.item_id where c.batch = p_batch
$$;

create view report_charges with (security_invoker = true) as
    select c.company_id, c.project_id, c.id as line, i.code as item, i.name as item_name, c.room_id, c.object, c.payer_id,
           c.period_from, c.period_to, c.amount_fen, c.late_fee_fen, c.discount_fen, c.paid_fen, c.due_date, c.status, c.created_at
    from charge_lines c join fee_items i on i.id = c.item_id;
grant select on report_charges to gatehouse_app, gatehouse_read;
