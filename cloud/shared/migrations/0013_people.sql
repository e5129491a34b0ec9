-- Departments, quick unlock, the second factor, settings with their versions (Y-03, Y-10, Y-11, Y-14).

create table departments (
    id int generated always as identity primary key,
    company_id int references companies (id),
    project_id int references projects (id),
    name text not null check (length(name) between 1 and 40),
    created_at timestamptz not null,
    created_by text not null,
    unique nulls not distinct (company_id, project_id, name),
    check (project_id is null or company_id is not null)
);
select add_group_scope('departments');
grant select, insert, update (name) on departments to gatehouse_app;
grant select on departments to gatehouse_read;

-- Secrets of people are written by the hub and read only through the functions below.
alter table users
    add column department_id int references departments (id),
    add column pin_hash text,
    add column totp_secret text,
    add column totp_since timestamptz,
    add column totp_step bigint not null default 0;
comment on column users.totp_step is 'the last 30-second step whose code was used: no code works twice';
grant select (department_id, totp_since), update (name, phone, department_id, pin_hash, totp_secret, totp_since, totp_step)
    on users to gatehouse_app;

alter table sessions add column pin_failures int not null default 0;

-- A session that has idled away but not ended: its person may come back with the PIN (Y-11). No row: nothing to unlock.
create function access_idle(p_token bytea, p_now timestamptz) returns table (user_id int, number text, name text, pin_hash text)
    language sql stable security definer set search_path = public, pg_temp as $$
    select u.id, u.number, u.name, u.pin_hash
    from sessions s join users u on u.id = s.user_id and u.status = 'active'
    where s.token = p_token and s.started_at > p_now - interval '12 hours' and s.seen_at <= p_now - interval '30 minutes'
      and u.pin_hash is not null
$$;

create function access_unlock(p_token bytea, p_now timestamptz) returns void
    language sql security definer set search_path = public, pg_temp as $$
    update sessions set seen_at = p_now, pin_failures = 0 where token = p_token and pin_failures < 5
$$;

-- Counts before the PIN is compared, so that guesses sent at once count too. The fifth ends the session: false.
create function access_pin_try(p_token bytea) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_tries int;
begin
    update sessions set pin_failures = pin_failures + 1 where token = p_token returning pin_failures into v_tries;
    if v_tries > 5 then
        delete from sessions where token = p_token;
    end if;
    return coalesce(v_tries <= 5, false);
end $$;

-- The second factor of a person: the secret, and since when it counts (null: being set up).
create function access_factor(p_user int) returns table (secret text, since timestamptz, step bigint)
    language sql stable security definer set search_path = public, pg_temp as $$
    select u.totp_secret, u.totp_since, u.totp_step from users u where u.id = p_user
$$;

-- Use up a step: false when it or a later one was used already.
create function access_factor_used(p_user int, p_step bigint) returns boolean
    language sql security definer set search_path = public, pg_temp as $$
    with done as (update users set totp_step = p_step where id = p_user and totp_step < p_step returning 1)
    select exists (select from done)
$$;

-- As before, and whether the second factor is set up.
drop function access_session(bytea, timestamptz, text);
create function access_session(p_token bytea, p_now timestamptz, p_permission text)
    returns table (user_id int, number text, name text, csrf text, factor boolean,
                   roles text[], permissions text[], companies int[], projects int[], whole_group boolean)
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    s sessions;
    u users;
begin
    select * into s from sessions where token = p_token
        and seen_at > p_now - interval '30 minutes' and started_at > p_now - interval '12 hours';
    if s.token is null then
        return;
    end if;
    select * into u from users where id = s.user_id and status = 'active';
    if u.id is null then
        return;
    end if;
    if s.seen_at < p_now - interval '1 minute' then
        update sessions set seen_at = p_now where token = p_token;
    end if;
    return query select u.id, u.number, u.name, s.csrf, u.totp_since is not null,
                        p.roles, p.permissions, p.companies, p.projects, p.whole_group
        from access_person(u.id, p_permission) p;
end $$;

-- Settings that people change while the hub runs: every version stays, with who and when (Y-14). High-risk ones are HQ's alone.
create table setting_names (
    name text primary key check (name ~ '^[a-z_]+\.[a-z_]+$'),
    title text not null,
    kind text not null check (kind in ('number', 'text', 'flag', 'document')),
    high_risk boolean not null,
    usual jsonb not null
);
insert into setting_names (name, title, kind, high_risk, usual) values
    ('receipt.numbering', '收据编号规则', 'document', true, '{"digits": 7}'),
    ('tariff.basis', '停车计费依据', 'text', true, '"entry"'),
    ('approval.limits', '审批额度', 'document', true, '{}'),
    ('clock.source', '时钟来源', 'text', true, '"ntp"'),
    ('counter.cash_limit', '抽屉现金上限（分）', 'number', false, '500000'),
    ('counter.idle_minutes', '离开几分钟锁屏', 'number', false, '30'),
    ('shift.variance', '交班长短款免批上限（分）', 'number', true, '5000'),
    ('message.sender', '短信签名', 'text', false, '""'),
    ('print.footer', '收据页脚', 'text', false, '""');
grant select on setting_names to gatehouse_app, gatehouse_read;

create table setting_versions (
    id bigint generated always as identity primary key,
    company_id int references companies (id),
    name text not null references setting_names (name),
    version int not null check (version > 0),
    value jsonb not null,
    reason text not null check (length(reason) between 2 and 200),
    set_at timestamptz not null,
    set_by text not null,
    unique nulls not distinct (company_id, name, version)
);
alter table setting_versions enable row level security;
alter table setting_versions force row level security;
create policy company_scope on setting_versions
    using (company_id is null
           or company_id = any ((select string_to_array(nullif(current_setting('app.companies', true), ''), ','))::int[]))
    with check (case when company_id is null then (select current_setting('app.group', true)) = 'on'
                else company_id = any ((select string_to_array(nullif(current_setting('app.companies', true), ''), ','))::int[]) end);
create function setting_guard() returns trigger language plpgsql as $$
begin
    if (select current_setting('app.group', true)) is distinct from 'on'
       and exists (select from setting_names n where n.name = new.name and n.high_risk) then
        raise exception 'setting % is for headquarters', new.name using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger setting_versions_guard before insert on setting_versions for each row execute function setting_guard();
create trigger setting_versions_append_only before update or delete or truncate on setting_versions
    for each statement execute function refuse_change();
grant select, insert on setting_versions to gatehouse_app;
grant select on setting_versions to gatehouse_read;

-- The audit log by object, and by the amount that an entry names (U-02).
create index audit_log_object on audit_log (object, id desc);
create index audit_log_number on audit_log (number, id desc);
create function audit_amounts(p_before text, p_after text) returns bigint[] language sql immutable parallel safe as $$
    select coalesce(array_agg(distinct m[1]::bigint), '{}')
    from regexp_matches(p_before || ' ' || p_after, '"[a-z_]*fen":\s*(-?[0-9]{1,17})[,}\]]', 'g') as m
$$;

do $$
declare
    name text;
begin
    for name in select oid::regprocedure::text from pg_proc
                where pronamespace = 'public'::regnamespace and prosecdef and proowner = current_user::regrole
                  and proname in ('access_idle', 'access_unlock', 'access_pin_try', 'access_factor', 'access_factor_used',
                                  'access_session') loop
        execute format('revoke all on function %s from public', name);
        execute format('grant execute on function %s to gatehouse_app', name);
    end loop;
end $$;
