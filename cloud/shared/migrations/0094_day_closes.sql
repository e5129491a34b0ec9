-- The daily close (C-34): one a project and day, its sheet as it was, never changed.

create table day_closes (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    day date not null,
    closed_at timestamptz not null,
    closed_by text not null,
    closed_name text not null,
    by_system boolean not null,
    sheet text not null check (sheet !~ '[[:cntrl:]]'),
    digest bytea not null check (length(digest) = 32),
    seq bigint not null check (seq >= 0),
    hash bytea not null check (length(hash) = 32),
    request_key text not null,
    unique (project_id, day)
);
comment on column day_closes.sheet is 'canonical JSON of what the close showed; digest: its SHA-256; seq and hash: the head of the chain';
select add_company_scope('day_closes');
grant select, insert on day_closes to gatehouse_app;
grant select on day_closes to gatehouse_read;

-- HQ is told once of each thing that is late, whoever looks.
create table cash_alarms (
    project_id int not null references projects (id),
    kind text not null,
    subject text not null,
    company_id int not null,
    at timestamptz not null,
    primary key (project_id, kind, subject)
);
select add_company_scope('cash_alarms');
grant select, insert on cash_alarms to gatehouse_app;
grant select on cash_alarms to gatehouse_read;

-- Boxes with the last event of money that the hub has of them.
create view report_box_heads with (security_invoker = true) as
    select b.id as box, b.company_id, b.project_id, s.last_seen, e.epoch, coalesce(e.seq, 0) as seq
    from boxes b
    left join box_sessions s on s.box = b.id
    left join box_streams m on m.box = b.id and m.stream = 'money'
    left join box_epochs e on e.box = b.id and e.stream = 'money' and e.epoch = m.epoch
    where b.claimed_at is not null;
create view report_closes with (security_invoker = true) as
    select company_id, project_id, id as close_id, day, closed_at, closed_by, closed_name, by_system, seq, encode(hash, 'hex') as hash
    from day_closes;
grant select on report_box_heads, report_closes to gatehouse_app, gatehouse_read;
