-- The cash a drawer opens with is what its terminal was left with, or what a second person gave (C-31, C-32).

alter table shifts
    add float_left_fen bigint,
    add float_reason text check (length(float_reason) between 2 and 200);
comment on column shifts.float_left_fen is 'what should have lain in the drawer; null: the terminal was used for the first time';
comment on column shifts.float_reason is 'why something else lay there';
grant update (float_left_fen, float_reason) on shifts to gatehouse_app;

create table drawer_floats (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    terminal text not null check (length(terminal) between 1 and 40),
    amount_fen bigint not null check (amount_fen > 0),
    reason text not null check (length(reason) between 2 and 200),
    by_id int not null,
    by_number text not null,
    by_name text not null,
    at timestamptz not null,
    shift_id int references shifts (id),
    request_key text not null,
    unique (project_id, request_key)
);
comment on table drawer_floats is 'cash that somebody put into a drawer for the next shift there';
select add_company_scope('drawer_floats');
grant select, insert, update (shift_id) on drawer_floats to gatehouse_app;
grant select on drawer_floats to gatehouse_read;

-- What each shift opened with, for controls.
create view report_counter_openings with (security_invoker = true) as
    select company_id, project_id, id as shift_id, terminal, user_id, user_number, user_name, opened_at, float_fen, float_left_fen,
           float_fen - float_left_fen as differs_fen, float_reason
    from shifts;
grant select on report_counter_openings to gatehouse_app, gatehouse_read;
