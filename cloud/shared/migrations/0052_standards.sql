-- How much, from when, for whom: terms, standards in versions, assignments, contracts, facts that a line is calculated from (F-01 .. F-15, T-01 .. T-10).

create table fee_terms (
    id int generated always as identity primary key,
    company_id int not null,
    code text not null check (code ~ '^[a-z0-9_.-]{1,40}$'),
    name text not null check (length(name) between 1 and 60),
    rules jsonb not null,
    at timestamptz not null,
    by text not null,
    unique (company_id, code)
);
comment on table fee_terms is 'Never changed: lines were cut by it. Another rule is another term';

create table fee_standards (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    item_id int not null references fee_items (id),
    code text not null check (code ~ '^[a-z0-9_.-]{1,40}$'),
    name text not null check (length(name) between 1 and 60),
    at timestamptz not null,
    by text not null,
    unique (project_id, code)
);

create table fee_versions (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    standard_id int not null references fee_standards (id),
    number int not null check (number > 0),
    effective_from date not null,
    rules jsonb not null,
    term_id int not null references fee_terms (id),
    state text not null default 'draft' check (state in ('draft', 'published')),
    reason text not null check (length(reason) between 2 and 200),
    filing text check (filing ~ '^[0-9a-f]{64}$'),
    at timestamptz not null,
    by text not null,
    published_at timestamptz,
    published_by text,
    unique (standard_id, number)
);
comment on column fee_versions.filing is 'SHA-256 of the price filing (公示)';
create unique index fee_versions_effective on fee_versions (standard_id, effective_from) where state = 'published';

-- A published version is what lines were made by: a new price is a new version (F-04).
create function fee_version_fixed() returns trigger language plpgsql as $$
begin
    if old.state = 'published' then
        raise exception 'a published standard is not changed' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger fee_versions_fixed before update on fee_versions for each row execute function fee_version_fixed();

create table fee_contracts (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    number text not null check (length(number) between 1 and 40),
    owner_id int not null references owners (id),
    from_day date not null,
    to_day date not null check (to_day > from_day),
    deposit_fen bigint not null default 0 check (deposit_fen >= 0),
    note text not null default '' check (length(note) <= 400),
    at timestamptz not null,
    by text not null,
    unique (project_id, number)
);

create table fee_assignments (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    item_id int not null references fee_items (id),
    standard_id int not null references fee_standards (id),
    contract_id int references fee_contracts (id),
    room_id int references rooms (id),
    payer_id int references owners (id),
    object text not null check (length(object) between 1 and 80),
    from_day date not null,
    to_day date check (to_day > from_day),
    term_id int references fee_terms (id),
    options jsonb not null default '{}',
    reason text not null default '' check (length(reason) <= 200),
    at timestamptz not null,
    by text not null
);
comment on column fee_assignments.to_day is 'the day after its last one; null: until further notice';
comment on column fee_assignments.payer_id is 'who pays when it is not the payer of the room for this item by date (O-01)';
comment on column fee_assignments.options is 'quantity, factor, discount, rent-free spans: what differs from the standard for this object';
create index fee_assignments_object on fee_assignments (project_id, item_id, object);
create index fee_assignments_room on fee_assignments (room_id);

-- Two assignments of one item to one object never cover the same day (F-08). One at a time a project, so that none slips between.
create function fee_assignment_apart() returns trigger language plpgsql as $$
declare
    other fee_assignments;
begin
    perform pg_advisory_xact_lock(hashtextextended('fee assignments', new.project_id));
    select * into other from fee_assignments a
        where a.project_id = new.project_id and a.item_id = new.item_id and a.object = new.object and a.id <> new.id
          and daterange(a.from_day, a.to_day) && daterange(new.from_day, new.to_day) limit 1;
    if other.id is not null then
        raise exception 'assignment % of % covers % to %', other.id, other.object, other.from_day, coalesce(other.to_day::text, 'open')
            using errcode = 'exclusion_violation', constraint = 'fee_assignments_apart',
                  detail = json_build_object('object', other.object, 'from', other.from_day, 'to', other.to_day)::text;
    end if;
    return null;
end $$;
create constraint trigger fee_assignments_apart after insert or update on fee_assignments
    for each row execute function fee_assignment_apart();

-- What a line needs beside the standard: readings, turnover, a stop of heating, shared costs. Kept as it was given, never changed.
create table fee_facts (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    assignment_id int not null references fee_assignments (id),
    day date not null,
    facts jsonb not null,
    at timestamptz not null,
    by text not null,
    unique (assignment_id, day)
);
comment on column fee_facts.day is 'the day of the reading, or the first day of what the facts are about';

-- No foreign keys from the lines to these: nobody may delete them, and a bill of 100,000 lines would check each twice.
create index charge_lines_assignment on charge_lines (assignment_id, period_to) where status <> 'cancelled';

select add_company_scope(name) from unnest(array[
    'fee_terms', 'fee_standards', 'fee_versions', 'fee_contracts', 'fee_assignments', 'fee_facts']) as name;
grant select, insert on fee_terms, fee_standards, fee_contracts, fee_facts to gatehouse_app;
grant select, insert, update (state, published_at, published_by)
    on fee_versions to gatehouse_app;
grant select, insert, update (to_day) on fee_assignments to gatehouse_app;
grant select on fee_terms, fee_standards, fee_versions, fee_contracts, fee_assignments, fee_facts to gatehouse_read;
