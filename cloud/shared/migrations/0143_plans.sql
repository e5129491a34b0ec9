-- Instalments and write-offs (A-09, A-10): what pauses a bill's late fee, what is paid when, what is let go of and still owed.

-- Days on which a line's late fee stands still because of something that is no dispute. `undone_on`: from then on it never was.
create table charge_pauses (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    line_id bigint not null references charge_lines (id),
    from_day date not null,
    to_day date check (to_day > from_day),
    undone_on date,
    why text not null check (length(why) between 1 and 80),
    at timestamptz not null
);
create index charge_pauses_line on charge_pauses (line_id);

create table instalment_plans (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    room_id int references rooms (id),
    object text not null,
    owner_id int not null references owners (id),
    name text not null,
    from_day date not null,
    resume text not null check (resume in ('from_due', 'from_break')),
    principal_fen bigint not null check (principal_fen > 0),
    approval_id bigint not null unique references approvals (id),
    state text not null default 'kept' check (state in ('kept', 'done', 'broken', 'ended')),
    ended_on date,
    note text not null default '',
    made_by text not null,
    made_at timestamptz not null,
    check ((state = 'kept') = (ended_on is null))
);
comment on column instalment_plans.resume is 'a broken plan: late fee as if there had been none (from_due), or only from the day it broke (from_break)';
create index instalment_plans_owner on instalment_plans (project_id, owner_id);
create table instalment_parts (
    plan_id int not null references instalment_plans (id),
    company_id int not null,
    project_id int not null,
    n int not null check (n > 0),
    due_date date not null,
    fen bigint not null check (fen > 0),
    primary key (plan_id, n)
);
create table instalment_lines (
    plan_id int not null references instalment_plans (id),
    company_id int not null,
    project_id int not null,
    line_id bigint not null references charge_lines (id),
    pause_id int not null references charge_pauses (id),
    owed_fen bigint not null check (owed_fen > 0),
    primary key (plan_id, line_id)
);
create index instalment_lines_line on instalment_lines (line_id);

-- A write-off is approved, held for days in which headquarters may stop it, then booked; the debt stays here (A-10, G-20).
create table write_offs (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    line_id bigint not null references charge_lines (id),
    owner_id int references owners (id),
    fen bigint not null check (fen > 0),
    reason text not null,
    approval_id bigint not null unique references approvals (id),
    approved_on date not null,
    book_on date not null check (book_on >= approved_on),
    state text not null default 'held' check (state in ('held', 'booked', 'stopped', 'gone', 'restored')),
    booked_on date,
    source text,
    ended_on date,
    ended_by text,
    note text not null default '' check (length(note) <= 200)
);
create unique index write_offs_one on write_offs (line_id) where state in ('held', 'booked');
create index write_offs_project on write_offs (project_id, state, book_on);

select add_company_scope(name) from unnest(array['charge_pauses', 'instalment_plans', 'instalment_parts', 'instalment_lines',
                                                 'write_offs']) as name;
grant select, insert, update (to_day, undone_on) on charge_pauses to gatehouse_app;
grant select, insert, update (state, ended_on, note, name) on instalment_plans to gatehouse_app;
grant select, insert on instalment_parts, instalment_lines to gatehouse_app;
grant select, insert, update (state, booked_on, source, ended_on, ended_by, note) on write_offs to gatehouse_app;
grant select on charge_pauses, instalment_plans, instalment_parts, instalment_lines, write_offs to gatehouse_read;

create view report_arrears_write_offs with (security_invoker = true) as
    select w.id as write_off_id, w.company_id, w.project_id, w.line_id, w.owner_id, w.fen, w.reason, w.approved_on, w.book_on, w.state,
           w.booked_on, w.ended_on, c.room_id, c.object, c.due_date
    from write_offs w join charge_lines c on c.id = w.line_id;
grant select on report_arrears_write_offs to gatehouse_app, gatehouse_read;
create view report_arrears_plans with (security_invoker = true) as
    select id as plan_id, company_id, project_id, room_id, object, owner_id, from_day, principal_fen, state, ended_on from instalment_plans;
grant select on report_arrears_plans to gatehouse_app, gatehouse_read;
