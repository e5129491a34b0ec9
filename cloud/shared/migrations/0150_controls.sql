-- What headquarters watches: one incident a cause, its findings, what was written to it (REQUIREMENTS 24, G-20, G-21, U-02).
-- Nothing is ever changed. A project's people see none of it: their transactions name projects, headquarters' do not.

insert into role_permissions (role, permission) values ('hq_finance', 'incident.write');

create table incidents (
    id bigint generated always as identity primary key,
    company_id int references companies (id),
    project_id int references projects (id),
    control text not null,
    cause text not null check (length(cause) between 1 and 200),
    rule text not null,
    title text not null check (length(title) between 1 and 120),
    subject text not null,
    persons text[] not null default '{}',
    terminal text not null default '',
    amount_fen bigint,
    at timestamptz not null,
    raised_at timestamptz not null,
    unique (control, cause)
);
comment on column incidents.cause is 'one alarm a cause (G-21): the same cause again adds a finding, never a second incident';
comment on column incidents.persons is 'work numbers of who did it or let it pass: none of them writes its conclusion';
comment on column incidents.at is 'when it happened; raised_at: when the hub told';
create index incidents_project on incidents (project_id, id desc);
create index incidents_persons on incidents using gin (persons);

create table incident_findings (
    id bigint generated always as identity primary key,
    incident_id bigint not null references incidents (id),
    company_id int references companies (id),
    project_id int references projects (id),
    rule text not null,
    why text not null,
    facts jsonb not null,
    steps jsonb not null,
    evidence jsonb not null,
    at timestamptz not null,
    unique (incident_id, rule)
);

create table incident_acts (
    id bigint generated always as identity primary key,
    incident_id bigint not null references incidents (id),
    company_id int references companies (id),
    project_id int references projects (id),
    kind text not null check (kind in ('explain', 'confirm', 'reopen', 'note', 'call', 'count')),
    text text not null check (length(text) between 2 and 1000),
    by_user int references users (id),
    by_number text not null,
    by_name text not null,
    at timestamptz not null
);
create index incident_acts_incident on incident_acts (incident_id, id);
comment on column incident_acts.kind is 'explain and confirm end it, reopen takes that back; call: the owner was called back, count: a count was asked for';

-- What the newest act that ends or reopens it says.
create function incident_state(p_incident bigint) returns text language sql stable as $$
    select case coalesce((select a.kind from incident_acts a
                          where a.incident_id = p_incident and a.kind in ('explain', 'confirm', 'reopen') order by a.id desc limit 1), 'reopen')
        when 'explain' then 'explained' when 'confirm' then 'confirmed' else 'open' end
$$;

create function incident_act_guard() returns trigger language plpgsql as $$
begin
    if exists (select from incidents i where i.id = new.incident_id and new.by_number = any (i.persons)) then
        raise exception 'incident % is about %', new.incident_id, new.by_number using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger incident_acts_guard before insert on incident_acts for each row execute function incident_act_guard();

-- Read by whoever sees whole companies, written with the group's scope alone.
do $$
declare
    name text;
    seen text := '(company_id = any ((select string_to_array(nullif(current_setting(''app.companies'', true), ''''), '',''))::int[])'
              || ' and (select nullif(current_setting(''app.projects'', true), '''')) is null)'
              || ' or (company_id is null and (select current_setting(''app.group'', true)) = ''on'')';
begin
    foreach name in array array['incidents', 'incident_findings', 'incident_acts'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy company_scope on %I for select using (%s)', name, seen);
        execute format('create policy headquarters on %I for insert with check ((select current_setting(''app.group'', true)) = ''on'')',
                       name);
        execute format('create trigger %I before update or delete or truncate on %I for each statement execute function refuse_change()',
                       name || '_append_only', name);
    end loop;
end $$;
grant select, insert on incidents, incident_findings, incident_acts to gatehouse_app;
grant select on incidents, incident_findings, incident_acts to gatehouse_read;

-- How far each rule has looked; of no company. `failed`: why it could not look the last time.
create table control_marks (
    rule text primary key,
    looked_at timestamptz not null,
    slot timestamptz,
    failed text not null default '',
    failed_at timestamptz
);
-- The full verifications of ledger, audit log and boxes, newest last (G-16).
create table control_proofs (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    entries bigint not null,
    chains int not null,
    faults jsonb not null
);
-- The last head seen of each project's chain: what is behind it later was rolled back (G-16).
create table control_heads (
    project_id int primary key references projects (id),
    seq bigint not null,
    hash bytea not null,
    at timestamptz not null
);
grant select, insert, update on control_marks, control_heads to gatehouse_app;
grant select, insert on control_proofs to gatehouse_app;
grant select on control_marks, control_proofs, control_heads to gatehouse_read;

-- The limits of G-20: headquarters' alone, every version kept (Y-14).
insert into setting_names (name, title, kind, high_risk, usual) values
    ('controls.void_minutes', '作废现金收据后几分钟内要重开', 'number', true, '10'),
    ('controls.reprints', '一张收据最多补打几次', 'number', true, '2'),
    ('controls.reprint_percent', '收款人一周补打占收据的百分比', 'number', true, '3'),
    ('controls.clock_seconds', '窗口时钟最多差几秒', 'number', true, '300'),
    ('controls.box_jump_seconds', '盒子时钟跳变最多几秒', 'number', true, '60'),
    ('controls.waiver_owner_fen', '同一业主 12 个月减免上限', 'money', true, '200000'),
    ('controls.waiver_approver_fen', '同一审批人 12 个月减免上限', 'money', true, '2000000'),
    ('controls.waiver_phone_fen', '同一电话 12 个月减免上限', 'money', true, '200000'),
    ('controls.near_limit_count', '30 天内接近审批限额的批准最多几次', 'number', true, '5'),
    ('controls.near_limit_percent', '离审批限额百分之几以内算接近', 'number', true, '10'),
    ('controls.waiver_week_percent', '项目一周减免占收款的百分比', 'number', true, '5'),
    ('controls.waiver_week_fen', '项目一周减免起报金额', 'money', true, '100000'),
    ('controls.dormant_months', '预存几个月没动算久不动', 'number', true, '12'),
    ('controls.deposit_years', '押金留存几年提醒', 'number', true, '2'),
    ('controls.slip_days', '缴款单几个工作日没到账报告', 'number', true, '3'),
    ('controls.tender_days', '转账支票几个工作日没对上报告', 'number', true, '2'),
    ('controls.export_rows', '一次导出联系人最多几行', 'number', true, '500'),
    ('controls.export_times', '一天导出联系人最多几次', 'number', true, '3'),
    ('controls.low_percent', '收款低于同星期平均百分之几报告', 'number', true, '60'),
    ('controls.low_floor_fen', '同星期平均收款低于多少不比较', 'money', true, '50000'),
    ('controls.silent_minutes', '盒子几分钟没消息算失联', 'number', true, '10'),
    ('controls.few_rooms', '一个新单价少于几户用就报告', 'number', true, '3');

-- What a manager reports of the site: no power, no link, fire alarm. It explains an alarm only when a device confirms it (G-21).
create table site_reports (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    kind text not null check (kind in ('power', 'link', 'fire', 'other')),
    since timestamptz not null,
    until timestamptz,
    reason text not null check (length(reason) between 2 and 200),
    by_number text not null,
    by_name text not null,
    at timestamptz not null
);
create index site_reports_project on site_reports (project_id, id desc);
select add_company_scope('site_reports');
grant select, insert on site_reports to gatehouse_app;
grant select on site_reports to gatehouse_read;
create trigger site_reports_append_only before update or delete or truncate on site_reports
    for each statement execute function refuse_change();
insert into role_permissions (role, permission) values ('project_manager', 'site.report');

-- How far each counter's own clock is from the hub's, as its page says; nothing is dated by it (G-03).
create table terminal_clocks (
    project_id int not null references projects (id),
    terminal text not null check (length(terminal) between 1 and 40),
    company_id int not null,
    offset_ms bigint not null,
    person text not null,
    at timestamptz not null,
    primary key (project_id, terminal)
);
select add_company_scope('terminal_clocks');
grant select, insert, update (offset_ms, person, at) on terminal_clocks to gatehouse_app;
grant select on terminal_clocks to gatehouse_read;
