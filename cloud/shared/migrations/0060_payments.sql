-- Payment orders and the providers' notices (C-14, C-15).

create table payment_orders (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    order_no text not null unique check (order_no ~ '^[A-Z0-9]{8,32}$'),
    purpose text not null check (purpose ~ '^[a-z_]+$'),
    reference text not null,
    subject text not null,
    amount_fen bigint not null check (amount_fen > 0),
    state text not null default 'created' check (state in ('created', 'paying', 'paid', 'closed', 'unknown')),
    created_at timestamptz not null,
    paid_at timestamptz,
    provider text,
    provider_no text,
    unique (provider, provider_no),
    constraint payment_orders_paid check ((state = 'paid') = (paid_at is not null and provider_no is not null))
);
create index payment_orders_reference on payment_orders (project_id, purpose, reference);

-- Every notice that came in, for good. A forged one belongs to nobody: company_id is null.
create table payment_notices (
    id bigint generated always as identity primary key,
    company_id int,
    at timestamptz not null,
    provider text not null,
    outcome text not null check (outcome in
        ('booked', 'repeated', 'noted', 'wrong_amount', 'paid_twice', 'forged', 'malformed', 'wrong_merchant', 'unknown_order')),
    order_no text,
    provider_no text,
    amount_fen bigint,
    sha256 text not null,
    message text not null
);
create index payment_notices_at on payment_notices (at);

select add_company_scope('payment_orders');
select add_company_scope('payment_notices');
create policy nobodys on payment_notices using (company_id is null);

grant select, insert, update (state, paid_at, provider, provider_no) on payment_orders to gatehouse_app;
grant select, insert on payment_notices to gatehouse_app;
grant select on payment_orders, payment_notices to gatehouse_read;

-- Order number -> company, before a scope is known.
create function payment_order_company(p_order_no text) returns int
    language sql stable security definer set search_path = public, pg_temp as $$
    select company_id from payment_orders where order_no = p_order_no
$$;
revoke all on function payment_order_company(text) from public;
grant execute on function payment_order_company(text) to gatehouse_app;
