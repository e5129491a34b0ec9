-- Opening balances (期初欠费、预存、押金, O-21): files as they were read, and what of them is in the books.

create table opening_runs (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    file_name text not null check (length(file_name) between 1 and 200),
    headings text[] not null,
    rows jsonb not null,
    controls jsonb not null,
    state text not null default 'read' check (state in ('read', 'asked', 'posted', 'dropped')),
    approval_id bigint references approvals (id),
    result jsonb not null default '{}',
    request_key text not null check (length(request_key) between 1 and 120),
    by text not null,
    at timestamptz not null,
    unique (project_id, request_key)
);
comment on column opening_runs.controls is 'totals in fen that a person typed: arrears, wallet, deposit';
create index opening_runs_project on opening_runs (project_id, id desc);

create table opening_items (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    run_id bigint not null references opening_runs (id),
    key text not null check (length(key) between 1 and 300),
    kind text not null check (kind in ('arrears', 'wallet', 'deposit')),
    amount_fen bigint not null check (amount_fen > 0),
    unique (project_id, key)
);
comment on table opening_items is 'what was opened, once: the same row of another file adds nothing';

select add_company_scope(name) from unnest(array['opening_runs', 'opening_items']) as name;
grant select, insert, update (state, approval_id, result) on opening_runs to gatehouse_app;
grant select, insert on opening_items to gatehouse_app;
grant select on opening_runs, opening_items to gatehouse_read;
create trigger opening_items_append_only before update or delete or truncate on opening_items
    for each statement execute function ledger_refuse_change();
