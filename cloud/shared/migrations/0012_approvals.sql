-- What the money parts let whom do (matrix 1.1), and approvals: a second person, tiers by amount, expiry, delegates (Y-02, Y-12, A-11).

alter table role_permissions drop constraint role_permissions_permission_check;
alter table role_permissions add constraint role_permissions_permission_check check (permission ~ '^[a-z_]+\.[a-z]+$');
insert into role_permissions (role, permission)
select role, permission
from (values
    ('company.write', '{hq_finance}'),
    ('project.write', '{hq_finance}'),
    ('owner.identity', '{hq_finance,hq_auditor,sub_manager,project_manager,cashier}'),
    ('owner.export', '{hq_finance,hq_auditor,sub_manager,project_manager}'),
    ('item.write', '{hq_finance}'),
    ('standard.read', '{hq_finance,hq_auditor,sub_manager,project_manager,cashier}'),
    ('standard.write', '{project_manager}'),
    ('standard.approve', '{hq_finance,sub_manager}'),
    ('charge.adjust', '{project_manager}'),
    ('charge.approve', '{hq_finance,sub_manager}'),
    ('void.request', '{cashier}'),
    ('void.approve', '{sub_manager,project_manager}'),
    ('refund.request', '{project_manager,cashier}'),
    ('refund.approve', '{hq_finance,sub_manager}'),
    ('waiver.request', '{cashier}'),
    ('waiver.approve', '{hq_finance,sub_manager,project_manager}'),
    ('shift.run', '{cashier,guard}'),
    ('shift.read', '{hq_finance,hq_auditor,sub_manager,project_manager,cashier}'),
    ('close.run', '{cashier}'),
    ('close.read', '{hq_finance,hq_auditor,sub_manager,project_manager,cashier}'),
    ('slip.read', '{hq_finance,hq_auditor,sub_manager,project_manager,cashier}'),
    ('slip.write', '{project_manager,cashier}'),
    ('slip.confirm', '{hq_finance}'),
    ('book.read', '{hq_finance,hq_auditor,sub_manager,project_manager,cashier}'),
    ('book.write', '{hq_finance,hq_admin}'),
    ('wallet.read', '{hq_finance,hq_auditor,sub_manager,project_manager,cashier}'),
    ('wallet.request', '{project_manager,cashier}'),
    ('wallet.approve', '{hq_finance,sub_manager}'),
    ('deposit.read', '{hq_finance,hq_auditor,sub_manager,project_manager,cashier}'),
    ('deposit.write', '{project_manager,cashier}'),
    ('late_entry.request', '{cashier}'),
    ('late_entry.approve', '{hq_finance}'),
    ('approval.read', '{hq_finance,hq_auditor,sub_manager,project_manager,cashier}'),
    ('cash.read', '{hq_finance,hq_auditor,sub_manager}'),
    ('setting.read', '{hq_finance,hq_auditor,hq_admin,sub_manager,project_manager}'),
    ('setting.write', '{hq_admin,sub_manager}'),
    ('report.money', '{hq_finance,hq_auditor,sub_manager,project_manager}')
) as matrix (permission, roles), unnest(matrix.roles::text[]) as role;

-- What can be asked for. `request` is the permission to ask; only `approvers` may ever stand in a tier (matrix 1.1). Amounts of one
-- family and beneficiary within `window_days` count together toward the tier, so that nothing is split under it (A-11).
create table approval_kinds (
    code text primary key check (code ~ '^[a-z_]+(\.[a-z]+)?$'),
    name text not null,
    position int not null,
    request text not null,
    approvers text[] not null,
    family text not null,
    window_days int check (window_days > 0),
    hours int not null default 72 check (hours > 0)
);
insert into approval_kinds (position, code, name, request, approvers, family, window_days) values
    (1, 'receipt.void', '作废收据', 'void.request', '{project_manager,sub_manager}', 'void', 1),
    (2, 'receipt.move', '收据改户', 'void.request', '{project_manager,sub_manager}', 'move', 1),
    (3, 'refund', '退款', 'refund.request', '{sub_manager,hq_finance}', 'refund', 1),
    (4, 'refund.original', '原路退款', 'refund.request', '{sub_manager,hq_finance}', 'refund', 1),
    (5, 'waiver', '减免', 'waiver.request', '{project_manager,sub_manager,hq_finance}', 'waiver', 365),
    (6, 'charge.adjust', '调整应收', 'charge.adjust', '{sub_manager,hq_finance}', 'adjust', 1),
    (7, 'shift.variance', '交班长短款', 'shift.run', '{project_manager,sub_manager,hq_finance}', 'variance', 1),
    (8, 'late_entry', '补录', 'late_entry.request', '{hq_finance}', 'late_entry', null),
    (9, 'wallet.transfer', '预存转户', 'wallet.request', '{sub_manager,hq_finance}', 'wallet', 1),
    (10, 'deposit.deduct', '押金扣款', 'deposit.write', '{project_manager,sub_manager,hq_finance}', 'deposit', 1),
    (11, 'deposit.offset', '押金抵费', 'deposit.write', '{project_manager,sub_manager,hq_finance}', 'deposit', 1),
    (12, 'owner.transfer', '过户', 'owner.write', '{project_manager,sub_manager}', 'owner', null),
    (13, 'opening.balance', '期初余额', 'charge.write', '{hq_finance}', 'opening', null),
    (14, 'standard.publish', '发布收费标准', 'standard.write', '{sub_manager,hq_finance}', 'standard', null),
    (15, 'standard.backdate', '倒签收费标准', 'standard.write', '{hq_finance}', 'standard', null);
comment on column approval_kinds.window_days is 'null: every request by itself';

-- Who decides up to which amount: the newest version of a company, else of the group (no company). Two steps: two people.
create table approval_tiers (
    id int generated always as identity primary key,
    company_id int references companies (id),
    kind text not null references approval_kinds (code),
    version int not null check (version > 0),
    up_to_fen bigint check (up_to_fen >= 0),
    roles text[] not null check (cardinality(roles) > 0),
    second_roles text[] check (cardinality(second_roles) > 0),
    set_at timestamptz not null,
    set_by text not null,
    unique nulls not distinct (company_id, kind, version, up_to_fen)
);
comment on column approval_tiers.up_to_fen is 'null: no bound';
insert into approval_tiers (kind, version, up_to_fen, roles, second_roles, set_at, set_by)
select kind, 1, up_to, roles::text[], second::text[], '2026-01-01 00:00+08', 'system'
from (values
    ('receipt.void', 200000, '{project_manager,sub_manager}', null),
    ('receipt.void', null, '{sub_manager}', null),
    ('receipt.move', 200000, '{project_manager,sub_manager}', null),
    ('receipt.move', null, '{sub_manager}', null),
    ('refund', 20000, '{sub_manager,hq_finance}', null),
    ('refund', 2000000, '{hq_finance}', null),
    ('refund', null, '{sub_manager}', '{hq_finance}'),
    ('refund.original', 500000, '{sub_manager,hq_finance}', null),
    ('refund.original', 2000000, '{hq_finance}', null),
    ('refund.original', null, '{sub_manager}', '{hq_finance}'),
    ('waiver', 20000, '{project_manager,sub_manager,hq_finance}', null),
    ('waiver', 200000, '{sub_manager,hq_finance}', null),
    ('waiver', 2000000, '{hq_finance}', null),
    ('waiver', null, '{sub_manager}', '{hq_finance}'),
    ('charge.adjust', 500000, '{sub_manager,hq_finance}', null),
    ('charge.adjust', null, '{hq_finance}', null),
    ('shift.variance', 20000, '{project_manager,sub_manager,hq_finance}', null),
    ('shift.variance', 200000, '{sub_manager,hq_finance}', null),
    ('shift.variance', null, '{hq_finance}', null),
    ('late_entry', null, '{hq_finance}', null),
    ('wallet.transfer', null, '{sub_manager,hq_finance}', null),
    ('deposit.deduct', 50000, '{project_manager,sub_manager,hq_finance}', null),
    ('deposit.deduct', 500000, '{sub_manager,hq_finance}', null),
    ('deposit.deduct', null, '{hq_finance}', null),
    ('deposit.offset', 50000, '{project_manager,sub_manager,hq_finance}', null),
    ('deposit.offset', null, '{sub_manager,hq_finance}', null),
    ('owner.transfer', null, '{project_manager,sub_manager}', null),
    ('opening.balance', null, '{hq_finance}', null),
    ('standard.publish', null, '{sub_manager,hq_finance}', null),
    ('standard.backdate', null, '{hq_finance}', null)
) as tier (kind, up_to, roles, second);

create function approval_tier_guard() returns trigger language plpgsql as $$
begin
    if not exists (select from approval_kinds k where k.code = new.kind
                   and k.approvers @> new.roles and k.approvers @> coalesce(new.second_roles, '{}')) then
        raise exception 'a role of this tier may not approve %', new.kind using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger approval_tiers_guard before insert on approval_tiers for each row execute function approval_tier_guard();
create trigger approval_tiers_append_only before update or delete or truncate on approval_tiers
    for each statement execute function refuse_change();

create table approvals (
    id bigint generated always as identity primary key,
    company_id int not null references companies (id),
    project_id int not null references projects (id),
    kind text not null references approval_kinds (code),
    subject text not null check (length(subject) between 1 and 120),
    beneficiary text not null check (length(beneficiary) between 1 and 120),
    title text not null check (length(title) between 1 and 200),
    amount_fen bigint not null check (amount_fen >= 0),
    cumulated_fen bigint not null check (cumulated_fen >= amount_fen),
    before text not null,
    after text not null,
    payload jsonb not null,
    reason text not null check (length(reason) between 2 and 500),
    roles text[] not null,
    second_roles text[],
    step int not null default 1 check (step in (1, 2)),
    key text not null check (length(key) between 1 and 120),
    requester int not null references users (id),
    requester_number text not null,
    requester_name text not null,
    terminal text not null,
    address text not null,
    requested_at timestamptz not null,
    expires_at timestamptz not null check (expires_at > requested_at),
    state text not null default 'waiting' check (state in ('waiting', 'approved', 'returned', 'expired', 'withdrawn')),
    decided_by int references users (id),
    decided_number text not null default '',
    decided_name text not null default '',
    decided_at timestamptz,
    note text not null default '',
    unique (project_id, key),
    unique (id, requester),
    check (decided_by is distinct from requester),
    check ((state in ('approved', 'returned')) = (decided_by is not null)),
    check ((state = 'waiting') = (decided_at is null))
);
create unique index approvals_one_waiting on approvals (project_id, kind, subject) where state = 'waiting';
create index approvals_waiting on approvals (requested_at) where state = 'waiting';
create index approvals_beneficiary on approvals (beneficiary, requested_at);
create index approvals_requester on approvals (requester, kind, requested_at);

-- One row a step. The requester stands beside the decider, so that the database itself refuses the same person (Y-02), also as a
-- delegate of the requester, and the same authority twice.
create table approval_decisions (
    approval_id bigint not null,
    step int not null check (step in (1, 2)),
    company_id int not null references companies (id),
    project_id int not null references projects (id),
    requester int not null,
    by_user int not null references users (id),
    by_number text not null,
    by_name text not null,
    on_behalf_of int references users (id),
    approve boolean not null,
    note text not null,
    terminal text not null,
    address text not null,
    at timestamptz not null,
    primary key (approval_id, step),
    unique (approval_id, by_user),
    foreign key (approval_id, requester) references approvals (id, requester),
    check (by_user <> requester),
    check (on_behalf_of is distinct from requester),
    check (on_behalf_of is distinct from by_user)
);
create unique index approval_decisions_authority on approval_decisions (approval_id, coalesce(on_behalf_of, by_user));

create function approval_guard() returns trigger language plpgsql as $$
declare
    given int;
begin
    if old.state <> 'waiting' then
        raise exception 'approval % is decided', old.id using errcode = 'insufficient_privilege';
    end if;
    if new.state = 'approved' then
        select count(*) into given from approval_decisions d where d.approval_id = new.id and d.approve;
        if given <> (case when new.second_roles is null then 1 else 2 end) then
            raise exception 'approval % has % of its steps', new.id, given using errcode = 'insufficient_privilege';
        end if;
    end if;
    return new;
end $$;
create trigger approvals_guard before update on approvals for each row execute function approval_guard();
create trigger approval_decisions_append_only before update or delete or truncate on approval_decisions
    for each statement execute function refuse_change();

-- Somebody decides for another while these days run; what was delegated is not passed on.
create table approval_delegations (
    id int generated always as identity primary key,
    company_id int references companies (id),
    project_id int references projects (id),
    from_user int not null references users (id),
    to_user int not null references users (id),
    kinds text[],
    first_day date not null,
    last_day date not null,
    reason text not null,
    created_at timestamptz not null,
    ended_at timestamptz,
    check (from_user <> to_user),
    check (last_day between first_day and first_day + 92)
);
create index approval_delegations_to on approval_delegations (to_user, last_day);
comment on column approval_delegations.kinds is 'null: all of them';

select add_company_scope(name) from unnest(array['approvals', 'approval_decisions']) as name;
select add_group_scope('approval_delegations');
alter table approval_tiers enable row level security;
alter table approval_tiers force row level security;
create policy company_scope on approval_tiers
    using (company_id is null
           or company_id = any ((select string_to_array(nullif(current_setting('app.companies', true), ''), ','))::int[]))
    with check (case when company_id is null then (select current_setting('app.group', true)) = 'on'
                else company_id = any ((select string_to_array(nullif(current_setting('app.companies', true), ''), ','))::int[]) end);

grant select on approval_kinds to gatehouse_app, gatehouse_read;
grant select, insert on approval_tiers to gatehouse_app;
grant select, insert, update (state, step, decided_by, decided_number, decided_name, decided_at, note) on approvals to gatehouse_app;
grant select, insert on approval_decisions to gatehouse_app;
grant select on approval_delegations to gatehouse_app;
grant select on approval_tiers, approvals, approval_decisions, approval_delegations to gatehouse_read;

-- Whether a person holds a permission there.
create function access_may(p_user int, p_permission text, p_company int, p_project int) returns boolean
    language sql stable security definer set search_path = public, pg_temp as $$
    select exists (
        select from user_roles g join users u on u.id = g.user_id and u.status = 'active'
        join role_permissions m on m.role = g.role and m.permission = p_permission
        where g.user_id = p_user
          and (g.company_id is null or g.company_id = p_company and (g.project_id is null or g.project_id = p_project)))
$$;

-- The roles a person decides with: their own (authority is null) and those lent by somebody who still holds them.
create function approval_authorities(p_user int, p_today date)
    returns table (role text, company_id int, project_id int, kinds text[], authority int)
    language sql stable security definer set search_path = public, pg_temp as $$
    select g.role, g.company_id, g.project_id, null::text[], null::int
    from user_roles g join users u on u.id = g.user_id and u.status = 'active'
    where g.user_id = p_user
    union all
    select g.role, g.company_id, g.project_id, d.kinds, d.from_user
    from approval_delegations d
    join users me on me.id = d.to_user and me.status = 'active'
    join users lender on lender.id = d.from_user and lender.status = 'active'
    join user_roles g on g.user_id = d.from_user
    where d.to_user = p_user and d.ended_at is null and p_today between d.first_day and d.last_day
$$;

-- Where a person sees approvals: by their own roles and by those lent to them. Shaped like access_person.
create function approval_reach(p_user int, p_today date) returns table (companies int[], projects int[], whole_group boolean)
    language sql stable security definer set search_path = public, pg_temp as $$
    with held as (
        select a.company_id, a.project_id from approval_authorities(p_user, p_today) a
        join role_permissions m on m.role = a.role and m.permission = 'approval.read'
    ), whole as (
        select coalesce(bool_or(h.company_id is null), false) as group_wide, coalesce(bool_or(h.project_id is not null), false) as narrow
        from held h
    )
    select case when w.group_wide then all_companies()
                else coalesce((select array_agg(distinct h.company_id) from held h), '{}') end,
           case when w.group_wide or not w.narrow then null
                else coalesce((select array_agg(distinct p.id) from projects p join held h
                               on h.company_id = p.company_id and (h.project_id is null or h.project_id = p.id)), '{}') end,
           w.group_wide
    from whole w
$$;

-- Where an approval lies, for somebody whose right to see it is lent; nothing else of it.
create function approval_place(p_id bigint) returns table (company_id int, project_id int)
    language sql stable security definer set search_path = public, pg_temp as $$
    select a.company_id, a.project_id from approvals a where a.id = p_id
$$;

-- Lend one's approvals to somebody who approves too and works in the same tree; null when there is no such person.
create function approval_delegate(p_from int, p_to text, p_kinds text[], p_first date, p_last date, p_reason text, p_at timestamptz)
    returns int language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_to int;
    v_id int;
begin
    select u.id into v_to from users u
        where u.number = p_to and u.status = 'active' and u.id <> p_from
          and exists (select from user_roles theirs
                      join approval_kinds k on theirs.role = any (k.approvers)
                      join user_roles mine on mine.user_id = p_from
                      where theirs.user_id = u.id
                        and (theirs.company_id is null or mine.company_id is null or mine.company_id = theirs.company_id));
    if v_to is null then
        return null;
    end if;
    insert into approval_delegations (company_id, project_id, from_user, to_user, kinds, first_day, last_day, reason, created_at)
        select u.company_id, u.project_id, p_from, v_to, p_kinds, p_first, p_last, p_reason, p_at from users u where u.id = p_from
        returning id into v_id;
    return v_id;
end $$;

create function approval_undelegate(p_from int, p_id int, p_at timestamptz) returns boolean
    language sql security definer set search_path = public, pg_temp as $$
    with done as (update approval_delegations set ended_at = p_at
                  where id = p_id and from_user = p_from and ended_at is null returning 1)
    select exists (select from done)
$$;

create function approval_delegations_of(p_user int) returns table (
    id int, from_number text, from_name text, to_number text, to_name text, kinds text[], first_day date, last_day date, reason text,
    mine boolean, ended_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp as $$
    select d.id, f.number, f.name, t.number, t.name, d.kinds, d.first_day, d.last_day, d.reason, d.from_user = p_user, d.ended_at
    from approval_delegations d join users f on f.id = d.from_user join users t on t.id = d.to_user
    where p_user in (d.from_user, d.to_user) order by d.first_day desc, d.id desc limit 50
$$;

do $$
declare
    name text;
begin
    for name in select oid::regprocedure::text from pg_proc
                where pronamespace = 'public'::regnamespace and prosecdef and proowner = current_user::regrole
                  and (proname like 'approval\_%' or proname = 'access_may') loop
        execute format('revoke all on function %s from public', name);
        execute format('grant execute on function %s to gatehouse_app', name);
    end loop;
end $$;
