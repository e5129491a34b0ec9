-- What a second person looks at before it is charged: lines by hand, items that nobody set up, exceptions, disputes (1.1, A-08, A-11);
-- and what changes prices and the facts they are charged by, for headquarters to see at once (G-04).

insert into approval_kinds (position, code, name, request, approvers, family, window_days) values
    (16, 'charge.byhand', '手工应收', 'charge.write', '{sub_manager,hq_finance}', 'by_hand', 1),
    (17, 'charge.item', '新费用项目', 'charge.write', '{hq_finance}', 'by_hand', 1),
    (18, 'charge.exception', '个别收费', 'standard.write', '{sub_manager,hq_finance}', 'exception', 30),
    (19, 'charge.dispute', '争议', 'charge.write', '{project_manager,sub_manager,hq_finance}', 'dispute', 365);
insert into approval_tiers (kind, version, up_to_fen, roles, second_roles, set_at, set_by)
select kind, 1, up_to, roles::text[], null, '2026-01-01 00:00+08', 'system'
from (values
    ('charge.byhand', null, '{sub_manager,hq_finance}'),
    ('charge.item', null, '{hq_finance}'),
    ('charge.exception', 500000, '{sub_manager,hq_finance}'),
    ('charge.exception', null, '{hq_finance}'),
    ('charge.dispute', 200000, '{project_manager,sub_manager,hq_finance}'),
    ('charge.dispute', null, '{sub_manager,hq_finance}')
) as tier (kind, up_to, roles);

-- Up to so much nobody is asked; the usual 0 asks always.
insert into setting_names (name, title, kind, high_risk, usual) values
    ('fees.free_by_hand', '手工应收免批上限（分）', 'number', true, '0'),
    ('fees.free_exception', '个别收费免批上限（一年，分）', 'number', true, '0'),
    ('fees.free_dispute', '争议免批上限（分）', 'number', true, '0');

-- Prices and exceptions as they came into force. Append-only.
create table fee_price_changes (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    kind text not null check (kind in ('price', 'exception', 'few_rooms', 'multiplier', 'contract')),
    item text not null,
    standard_id int not null references fee_standards (id),
    version_id int references fee_versions (id),
    objects text[] not null,
    rooms int not null check (rooms >= 0),
    before text not null,
    after text not null,
    price numeric,
    filed_price numeric,
    yearly_fen bigint,
    reason text not null,
    by text not null,
    approved_by text not null,
    terminal text not null,
    approval_id bigint references approvals (id),
    at timestamptz not null
);
comment on column fee_price_changes.rooms is 'objects that it charges; objects: the first of them by name';
comment on column fee_price_changes.yearly_fen is
    'what a year brings more (less: negative) than before; null: not known, it is charged by readings or turnover';
comment on column fee_price_changes.filed_price is 'the price of the latest filing of the standard, or of its item in the project';
create index fee_price_changes_project on fee_price_changes (project_id, id);
select add_company_scope('fee_price_changes');
grant select, insert on fee_price_changes to gatehouse_app;
grant select on fee_price_changes to gatehouse_read;
create trigger fee_price_changes_append_only before update or delete or truncate on fee_price_changes
    for each statement execute function ledger_refuse_change();

-- The price filing (备案文件) of a version: a file by its hash, and the price that stands in it (F-03).
alter table fee_versions
    add filed_price numeric check (filed_price > 0),
    add filing_name text check (length(filing_name) between 1 and 120),
    add filing_media text check (filing_media in ('application/pdf', 'image/jpeg', 'image/png')),
    add check ((filing is null) = (filing_name is null) and (filing is null) = (filing_media is null));
grant update (filing, filing_name, filing_media, filed_price) on fee_versions to gatehouse_app;

-- Facts of a room that money hangs on, changed while the room is charged: by whatever changed them, also past the program. Written
-- when the transaction ends, when the audit entry that says who did it is there.
create table room_fact_changes (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    room_id int not null references rooms (id),
    object text not null,
    fact text not null check (fact in ('area', 'inside_area', 'apportion_area', 'floor_factor', 'headcount', 'charge_from')),
    before text not null,
    after text not null,
    yearly_fen bigint,
    audit_id bigint,
    by text not null,
    place text not null,
    at timestamptz not null
);
comment on column room_fact_changes.yearly_fen is
    'what a year of the prices in force brings more (less: negative) by it; of charge_from: what the days moved come to';
comment on column room_fact_changes.by is 'empty: nothing on the log says who';
create index room_fact_changes_project on room_fact_changes (project_id, id);
select add_company_scope('room_fact_changes');
grant select, insert on room_fact_changes to gatehouse_app;
grant select on room_fact_changes to gatehouse_read;
create trigger room_fact_changes_append_only before update or delete or truncate on room_fact_changes
    for each statement execute function ledger_refuse_change();

-- A year's money of one unit of a fact at the prices in force: fen a square metre, or a whole room where p_kind is null.
create function room_year_fen(p_room int, p_kind text, p_day date) returns numeric language sql stable as $$
    select coalesce(sum(100 * (v.rules ->> 'price')::numeric
        * case when v.rules ->> 'method' = 'season' then 1
               else case coalesce(v.rules ->> 'price_per', 'month') when 'day' then 365 when 'year' then 1 else 12 end end
        * coalesce((a.options ->> 'factor')::numeric, 1)
        * case when p_kind is not null then 1
               when a.options ? 'area' then (a.options ->> 'area')::numeric
               when v.rules ->> 'area_kind' is null then coalesce((a.options ->> 'quantity')::numeric, 1)
               else coalesce(case v.rules ->> 'area_kind' when 'gross' then r.area when 'inner' then r.inside_area
                             else r.apportion_area end, 0) end), 0)
    from fee_assignments a join rooms r on r.id = a.room_id
    join lateral (
        select o.rules from fee_versions o
        where o.standard_id = a.standard_id and o.state = 'published' and o.effective_from <= p_day
        order by o.effective_from desc limit 1) v on true
    where a.room_id = p_room and a.from_day <= p_day and (a.to_day is null or a.to_day > p_day)
      and v.rules ->> 'method' in ('area', 'unit', 'fixed', 'daily', 'season', 'rent')
      and (v.rules ->> 'price') is not null
      and (p_kind is null or v.rules ->> 'area_kind' = p_kind and not a.options ? 'area')
$$;

create function room_facts_watch() returns trigger language plpgsql as $$
declare
    v_log audit_log;
    v_day date;
    v_at timestamptz;
    v_fact record;
    v_yearly numeric;
begin
    if not exists (select from charge_lines c where c.room_id = new.id and c.status <> 'cancelled') then
        return null;
    end if;
    select * into v_log from audit_log a where a.chain = 'project ' || new.project_id
        and a.xmin::text::bigint >= pg_current_xact_id()::text::bigint % 4294967296 order by a.seq desc limit 1;
    v_at := coalesce(v_log.at, now());
    v_day := (v_at at time zone 'Asia/Shanghai')::date;
    for v_fact in
        select * from (values
            ('area', 'gross', old.area::text, new.area::text), ('inside_area', 'inner', old.inside_area::text, new.inside_area::text),
            ('apportion_area', 'used', old.apportion_area::text, new.apportion_area::text),
            ('floor_factor', null, old.floor_factor::text, new.floor_factor::text),
            ('headcount', null, old.headcount::text, new.headcount::text),
            ('charge_from', null, old.charge_from::text, new.charge_from::text)) as f (name, kind, was, now)
        where f.was is distinct from f.now
    loop
        v_yearly := case
            when v_fact.kind is not null then
                (coalesce(v_fact.now, '0')::numeric - coalesce(v_fact.was, '0')::numeric) * room_year_fen(new.id, v_fact.kind, v_day)
            when v_fact.name = 'charge_from' and v_fact.was is not null and v_fact.now is not null then
                least(greatest(v_fact.was::date - v_fact.now::date, -365), 365) * room_year_fen(new.id, null, v_day) / 365 end;
        insert into room_fact_changes (company_id, project_id, room_id, object, fact, before, after, yearly_fen, audit_id, by, place, at)
        values (new.company_id, new.project_id, new.id, new.code, v_fact.name, coalesce(v_fact.was, ''), coalesce(v_fact.now, ''),
                round(v_yearly)::bigint, v_log.id, coalesce(v_log.number, ''), coalesce(v_log.place, ''), v_at);
    end loop;
    return null;
end $$;
create constraint trigger rooms_facts_watch after update on rooms deferrable initially deferred for each row
    when ((old.area, old.inside_area, old.apportion_area, old.floor_factor, old.headcount, old.charge_from)
          is distinct from (new.area, new.inside_area, new.apportion_area, new.floor_factor, new.headcount, new.charge_from))
    execute function room_facts_watch();

create view report_estate_fact_changes with (security_invoker = true) as
    select id, company_id, project_id, room_id, object, fact, before, after, yearly_fen, by, place as terminal,
           audit_id, null::bigint as approval_id, at
    from room_fact_changes;
grant select on report_estate_fact_changes to gatehouse_app, gatehouse_read;

create view report_fees_price_changes with (security_invoker = true) as
    select c.id, c.company_id, c.project_id, c.kind, c.item, c.standard_id, s.name as standard, c.version_id, c.objects, c.rooms,
           c.before, c.after, c.price, c.filed_price, coalesce(c.price < c.filed_price, false) as below_filed,
           c.rooms between 1 and 2 as few_rooms, c.yearly_fen, c.reason, c.by, c.approved_by, c.terminal, c.approval_id, c.at
    from fee_price_changes c join fee_standards s on s.id = c.standard_id;
grant select on report_fees_price_changes to gatehouse_app, gatehouse_read;

-- What a price for a day that is over makes of lines that are billed already, as its reviewer saw it and as it is then applied (F-04).
create table fee_repricings (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    version_id int not null references fee_versions (id),
    digest text not null check (digest ~ '^[0-9a-f]{64}$'),
    lines int not null check (lines >= 0),
    more_fen bigint not null check (more_fen >= 0),
    less_fen bigint not null check (less_fen >= 0),
    at timestamptz not null,
    by text not null
);
create table fee_repricing_lines (
    repricing_id bigint not null references fee_repricings (id),
    n int not null check (n > 0),
    company_id int not null,
    project_id int not null references projects (id),
    line_id bigint not null references charge_lines (id),
    old_fen bigint not null,
    new_fen bigint not null check (new_fen <> old_fen),
    primary key (repricing_id, n)
);
comment on column fee_repricing_lines.old_fen is 'what the line asks for with its adjustments';
select add_company_scope('fee_repricings');
select add_company_scope('fee_repricing_lines');
grant select, insert on fee_repricings, fee_repricing_lines to gatehouse_app;
grant select on fee_repricings, fee_repricing_lines to gatehouse_read;
create trigger fee_repricings_append_only before update or delete or truncate on fee_repricings
    for each statement execute function ledger_refuse_change();
create trigger fee_repricing_lines_append_only before update or delete or truncate on fee_repricing_lines
    for each statement execute function ledger_refuse_change();
