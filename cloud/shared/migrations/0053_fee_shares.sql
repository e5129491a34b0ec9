-- A shared cost spread over assignments (公摊, Q-35): the total, the days, the weight of every object, as it was given. Never changed.

create table fee_shares (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    standard_id int not null references fee_standards (id),
    from_day date not null,
    to_day date not null check (to_day > from_day),
    total_fen bigint not null check (total_fen > 0),
    weights jsonb not null,
    steps text[] not null default '{}',
    key text not null check (length(key) between 8 and 80),
    at timestamptz not null,
    by text not null,
    unique (project_id, key)
);
comment on column fee_shares.weights is 'object -> weight as text; a share is worked out from all of them by the largest remainder (Q-08)';
comment on column fee_shares.steps is 'how the total came about: the sentences of master less sub-meters';

select add_company_scope('fee_shares');
grant select, insert on fee_shares to gatehouse_app;
grant select on fee_shares to gatehouse_read;
