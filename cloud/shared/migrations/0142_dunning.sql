-- Dunning notices (A-04, A-05): numbered without a gap per project and year, what stood on each, and how it reached its reader.

create table dunning_counters (
    project_id int not null references projects (id),
    year smallint not null,
    company_id int not null,
    last int not null check (last > 0),
    primary key (project_id, year)
);

create table dunning_notices (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    year smallint not null,
    number int not null,
    no text not null unique check (no ~ '^CF[0-9]+-[0-9]{7,}$'),
    level text not null check (level in ('reminder', 'demand', 'lawyer')),
    nth int not null check (nth > 0),
    room_id int references rooms (id),
    object text not null,
    owner_id int not null references owners (id),
    name text not null,
    address text not null,
    day date not null,
    pay_by date not null check (pay_by > day),
    principal_fen bigint not null check (principal_fen > 0),
    late_fee_fen bigint not null check (late_fee_fen >= 0),
    per_day_fen bigint not null check (per_day_fen >= 0),
    facts jsonb not null,
    route text not null,
    position int not null,
    batch_size int not null,
    job_id bigint not null,
    printed_at timestamptz not null,
    printed_by text not null,
    printed_name text not null,
    prints int not null default 1,
    served_on date,
    served_way text check (served_way in ('self', 'family', 'posted', 'refused', 'mail', 'notary')),
    served_note text check (length(served_note) <= 200),
    served_by text,
    served_at timestamptz,
    unique (project_id, year, number),
    check ((served_on is null) = (served_way is null) and (served_on is null) = (served_by is null)),
    check (served_on >= day)
);
comment on column dunning_notices.facts is 'everything else on the paper: entity, telephone, accounts, wording of the late fee';
comment on column dunning_notices.served_on is 'the day it reached its reader: the limitation period begins anew (A-02)';
create index dunning_notices_job on dunning_notices (job_id, position);
create index dunning_notices_owner on dunning_notices (project_id, owner_id, id desc);

create table dunning_lines (
    notice_id bigint not null references dunning_notices (id),
    line_id bigint not null references charge_lines (id),
    company_id int not null,
    project_id int not null,
    position int not null,
    item text not null,
    period_from date not null,
    period_to date not null,
    formula text not null,
    due_date date not null,
    principal_fen bigint not null,
    late_fee_fen bigint not null,
    primary key (notice_id, line_id)
);
create index dunning_lines_line on dunning_lines (line_id);

select add_company_scope(name) from unnest(array['dunning_counters', 'dunning_notices', 'dunning_lines']) as name;
grant select, insert, update (last) on dunning_counters to gatehouse_app;
grant select, insert, update (prints, served_on, served_way, served_note, served_by, served_at, name) on dunning_notices to gatehouse_app;
grant select, insert on dunning_lines to gatehouse_app;
grant select on dunning_notices, dunning_lines to gatehouse_read;

create or replace view report_arrears_contacts with (security_invoker = true) as
    select company_id, project_id, owner_id, at, way, note, by_name from arrears_contacts where owner_id is not null
    union all
    select company_id, project_id, owner_id, sent_at, channel, left(coalesce(sent_text, text), 60), '系统' from messages
        where money and state = 'sent' and owner_id is not null and project_id is not null and sent_at is not null
    union all
    select company_id, project_id, owner_id, printed_at, 'print', no, printed_name from dunning_notices;
