-- Warning rules as data (W-01), which project was gone through on which day, and what a message of a rule was about (W-03, W-05).

create table warning_rules (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    moment text not null check (moment in ('before', 'on', 'after')),
    days int not null check (days between 0 and 365),
    item_code text check (length(item_code) between 1 and 40),
    least_fen bigint not null check (least_fen >= 1),
    tag text check (length(tag) between 1 and 40),
    channel text not null check (channel in ('sms', 'wechat', 'app', 'call', 'print')),
    active boolean not null default true,
    made_by text not null,
    made_at timestamptz not null,
    changed_by text,
    changed_at timestamptz,
    key text check (length(key) between 8 and 80),
    unique (project_id, key),
    check ((moment = 'on') = (days = 0))
);
comment on column warning_rules.days is 'before: so many days before the due date; after: every so many days after it';
create index warning_rules_project on warning_rules (project_id) where active;

create table warning_runs (
    project_id int not null references projects (id),
    day date not null,
    company_id int not null,
    at timestamptz not null,
    messages int not null,
    primary key (project_id, day)
);

select add_company_scope(name) from unnest(array['warning_rules', 'warning_runs']) as name;
grant select, insert, update (active, changed_by, changed_at) on warning_rules to gatehouse_app;
grant select, insert on warning_runs to gatehouse_app;
grant select on warning_rules, warning_runs to gatehouse_read;
create index messages_subject on messages (project_id, subject text_pattern_ops);
