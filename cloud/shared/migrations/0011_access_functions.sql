-- What must look before a company is known: log-in, a session's token, the hub's own jobs. One row each.

create function all_companies() returns int[] language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce(array_agg(id order by id), '{}') from companies
$$;

-- A new company lies in nobody's scope yet, so making one goes through here: its id, null when the code belongs to another.
create function access_add_company(p_code text, p_name text, p_at timestamptz) returns int
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    found_id int;
begin
    insert into companies (code, name, created_at) values (p_code, p_name, p_at) on conflict (code) do nothing;
    select id into found_id from companies where code = p_code and name = p_name;
    return found_id;
end $$;

create function access_credentials(p_number text, p_now timestamptz)
    returns table (user_id int, name text, password_hash text, locked_until timestamptz)
    language sql stable security definer set search_path = public, pg_temp as $$
    select u.id, u.name, u.password_hash, f.locked_until
    from (values (p_number)) as asked (number)
    left join users u on u.number = asked.number and u.status = 'active'
    left join login_failures f on f.number = asked.number and f.locked_until > p_now
$$;

-- Counts a failure; the fifth within 15 minutes of the one before locks for 15 minutes (Y-10). Answers whether it is locked now.
create function access_failed(p_number text, p_now timestamptz) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_until timestamptz;
begin
    delete from login_failures where last_at < p_now - interval '1 day';
    insert into login_failures as f (number, failures, last_at) values (left(p_number, 40), 1, p_now)
        on conflict (number) do update set
            failures = case when f.last_at < p_now - interval '15 minutes' then 1 else f.failures + 1 end,
            last_at = p_now;
    update login_failures f set locked_until = p_now + interval '15 minutes', failures = 0
        where f.number = left(p_number, 40) and f.failures >= 5;
    select f.locked_until into v_until from login_failures f where f.number = left(p_number, 40);
    return coalesce(v_until > p_now, false);
end $$;

create function access_open(p_token bytea, p_user int, p_csrf text, p_now timestamptz, p_address text) returns void
    language sql security definer set search_path = public, pg_temp as $$
    delete from login_failures where number = (select u.number from users u where u.id = p_user);
    delete from sessions where user_id = p_user and (seen_at < p_now - interval '30 minutes' or started_at < p_now - interval '12 hours');
    insert into sessions (token, user_id, csrf, started_at, seen_at, address) values (p_token, p_user, p_csrf, p_now, p_now, p_address);
$$;

create function access_close(p_token bytea) returns void language sql security definer set search_path = public, pg_temp as $$
    delete from sessions where token = p_token;
$$;

create function access_close_all(p_user int) returns void language sql security definer set search_path = public, pg_temp as $$
    delete from sessions where user_id = p_user;
$$;

-- A person: roles, permissions, and where `p_permission` holds (all grants when it is null). Companies are those of the grants;
-- projects is null unless some grant reaches less than its company.
create function access_person(p_user int, p_permission text)
    returns table (roles text[], permissions text[], companies int[], projects int[], whole_group boolean)
    language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
    v_narrow boolean;
begin
    select array_agg(distinct g.role), coalesce(bool_or(g.company_id is null) filter (where h.holds), false),
           coalesce(bool_or(g.project_id is not null) filter (where h.holds), false),
           coalesce(array_agg(distinct g.company_id) filter (where h.holds and g.company_id is not null), '{}')
        into roles, whole_group, v_narrow, companies
        from user_roles g
        cross join lateral (select p_permission is null or exists (
            select from role_permissions p where p.role = g.role and p.permission = p_permission) as holds) h
        where g.user_id = p_user;
    select coalesce(array_agg(distinct p.permission), '{}') into permissions
        from role_permissions p where p.role = any (access_person.roles);
    if whole_group then
        companies := all_companies();
    elsif v_narrow then
        select coalesce(array_agg(distinct p.id), '{}') into projects
            from projects p
            join user_roles g on g.user_id = p_user and g.company_id = p.company_id and (g.project_id is null or g.project_id = p.id)
            where p_permission is null
               or exists (select from role_permissions m where m.role = g.role and m.permission = p_permission);
    end if;
    roles := coalesce(roles, '{}');
    return next;
end $$;

-- Whether a person may give a role there: some role of theirs that may, held there or above (permission matrix: users and roles).
create function access_may_grant(p_user int, p_role text, p_company int, p_project int) returns boolean
    language sql stable security definer set search_path = public, pg_temp as $$
    select exists (
        select from roles r join user_roles g on g.role = any (r.granted_by)
        where r.code = p_role and g.user_id = p_user
          and (g.company_id is null or g.company_id = p_company and (g.project_id is null or g.project_id = p_project)))
$$;

-- Whether every role of a person is the other's to give, and so to take. Roles above may lie outside the other's scope.
create function access_may_disable(p_user int, p_target int) returns boolean
    language sql stable security definer set search_path = public, pg_temp as $$
    select not exists (
        select from user_roles g
        where g.user_id = p_target and not access_may_grant(p_user, g.role, g.company_id, g.project_id))
$$;

-- A session by its token: 30 minutes idle, 12 hours at most (Y-11). No row: nobody. Seen is written once a minute at most.
create function access_session(p_token bytea, p_now timestamptz, p_permission text)
    returns table (user_id int, number text, name text, csrf text,
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
    return query select u.id, u.number, u.name, s.csrf, p.roles, p.permissions, p.companies, p.projects, p.whole_group
        from access_person(u.id, p_permission) p;
end $$;

-- Appends to the audit log inside the caller's scope; null when the place lies outside it. It locks the chain until the
-- transaction ends, so call it last.
create function audit_append(
    p_company int, p_project int, p_at timestamptz, p_user int, p_number text, p_action text, p_object text, p_place text,
    p_before text, p_after text, p_reason text, p_fields text[], p_salts bytea[], p_values text[]
) returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_chain text := case when p_project is not null then 'project ' || p_project
                         when p_company is not null then 'company ' || p_company else 'group' end;
    head audit_heads;
    v_hash bytea;
    v_id bigint;
begin
    if p_company is not null and not coalesce(
        p_company = any (string_to_array(nullif(current_setting('app.companies', true), ''), ',')::int[]), false) then
        return null;
    end if;
    if p_project is not null and not exists (select from projects p where p.id = p_project and p.company_id = p_company) then
        return null;
    end if;
    insert into audit_heads (chain, company_id, project_id, seq, hash)
        values (v_chain, p_company, p_project, 0, decode(repeat('00', 32), 'hex')) on conflict do nothing;
    select * into head from audit_heads h where h.chain = v_chain for update;
    v_hash := sha256(convert_to(
        E'gatehouse audit 1\nchain ' || v_chain || E'\nseq ' || head.seq + 1
        || E'\nat ' || to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        || E'\nuser ' || coalesce(p_user::text, '-') || ' ' || p_number || E'\naction ' || p_action || E'\nobject ' || p_object
        || E'\nplace ' || p_place || E'\nbefore ' || p_before || E'\nafter ' || p_after || E'\nreason ' || p_reason
        || E'\nprev ' || encode(head.hash, 'hex'), 'UTF8'));
    insert into audit_log (company_id, project_id, chain, seq, at, user_id, number, action, object, place, before, after, reason,
                           prev, hash)
        values (p_company, p_project, v_chain, head.seq + 1, p_at, p_user, p_number, p_action, p_object, p_place, p_before, p_after,
                p_reason, head.hash, v_hash)
        returning id into v_id;
    insert into audit_personal (audit_id, field, company_id, salt, value)
        select v_id, one.field, p_company, one.salt, one.value from unnest(p_fields, p_salts, p_values) as one (field, salt, value);
    update audit_heads set seq = head.seq + 1, hash = v_hash where chain = v_chain;
    return v_id;
end $$;

do $$
declare
    name text;
begin
    for name in select oid::regprocedure::text from pg_proc
                where pronamespace = 'public'::regnamespace and prosecdef and proowner = current_user::regrole loop
        execute format('revoke all on function %s from public', name);
        execute format('grant execute on function %s to gatehouse_app', name);
    end loop;
end $$;
