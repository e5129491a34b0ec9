-- Meters, their registers, rounds over a bus, and readings as a time series (REQUIREMENTS 19).

create table meters (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    number text not null check (length(number) between 1 and 40),
    kind text not null check (kind in ('electric', 'water', 'hot_water', 'gas', 'heat', 'other')),
    name text not null check (length(name) between 1 and 60),
    room_id int references rooms (id),
    box text references boxes (id),
    bus text,
    set_at timestamptz not null,
    set_by text not null,
    unique (project_id, number)
);
comment on column meters.bus is 'Where the plan has it; null: known, and read no more';
create index meters_room on meters (room_id);

create table meter_plans (
    box text primary key references boxes (id),
    company_id int not null,
    project_id int not null references projects (id),
    body text not null,
    set_at timestamptz not null,
    set_by text not null
);

-- A quantity of a meter; tariff -1: the quantity knows no tariff.
create table meter_registers (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null,
    meter_id int not null references meters (id),
    quantity text not null check (length(quantity) between 1 and 40),
    tariff smallint not null,
    unit text not null check (length(unit) <= 20),
    unique (meter_id, quantity, tariff, unit)
);

-- One event of a box: a round over a bus. What was read of it hangs on its id.
create table meter_rounds (
    id bigint generated always as identity primary key,
    box text not null,
    epoch text not null,
    seq bigint not null,
    company_id int not null,
    project_id int not null,
    bus text not null,
    round text not null,
    items int not null,
    missing text[] not null,
    at timestamptz not null,
    clock text not null,
    received_at timestamptz not null,
    unique (box, epoch, seq)
);
create index meter_rounds_bus on meter_rounds (project_id, bus, at desc);

-- quality: 0 good, 1 jump, 2 falling, 3 back_filled (E-02). The value is part of the key: the same register with another value at
-- the same instant is kept beside the first and shown (report_reading_conflicts), never dropped.
do $$
declare
    columns text := 'register_id int not null, company_id int not null, project_id int not null, round_id bigint not null,'
                 || ' at timestamptz not null, value numeric not null, quality smallint not null check (quality between 0 and 3),'
                 || ' primary key (register_id, at, value)';
    timescale boolean := exists (select from pg_extension where extname = 'timescaledb');
begin
    if not timescale then
        begin
            -- Asking for it where it is not preloaded would end the connection, so only where the server says that it is.
            if current_setting('shared_preload_libraries') like '%timescaledb%' then
                create extension timescaledb;
                timescale := true;
            end if;
        exception when others then
            raise notice 'without timescaledb: %', sqlerrm;
        end;
    end if;
    if timescale then
        execute format('create table meter_readings (%s)', columns);
        perform create_hypertable('meter_readings', 'at', chunk_time_interval => interval '7 days');
    else
        execute format('create table meter_readings (%s) partition by range (at)', columns);
    end if;
end $$;

select add_company_scope(t) from unnest(array['meters', 'meter_plans', 'meter_registers', 'meter_rounds', 'meter_readings']) as t;

grant select, insert, update (kind, name, room_id, box, bus, set_at, set_by) on meters to gatehouse_app;
grant select, insert, update on meter_plans to gatehouse_app;
grant select, insert on meter_registers, meter_rounds, meter_readings to gatehouse_app;
grant select on meters, meter_plans, meter_registers, meter_rounds, meter_readings to gatehouse_read;

-- Make the monthly partitions that hold [p_from, p_to]; how many are new. Nothing to do for a hypertable. Months are civil ones in
-- Shanghai. A new table is attached, which lets readings be written meanwhile.
create function meter_make_partitions(p_from timestamptz, p_to timestamptz) returns int
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    month timestamp := date_trunc('month', p_from at time zone 'Asia/Shanghai');
    name text;
    made int := 0;
begin
    if p_to - p_from > interval '1200 days' then
        raise exception 'too many partitions at once';
    end if;
    if not exists (select from pg_partitioned_table where partrelid = 'meter_readings'::regclass) then
        return 0;
    end if;
    while month <= p_to at time zone 'Asia/Shanghai' loop
        name := 'meter_readings_' || to_char(month, 'YYYYMM');
        if to_regclass(name) is null then
            perform pg_advisory_xact_lock(hashtextextended('meter_make_partitions', 0));
            if to_regclass(name) is null then
                execute format('create table %I (like meter_readings including all)', name);
                execute format('alter table meter_readings attach partition %I for values from (%L) to (%L)', name,
                               month at time zone 'Asia/Shanghai', (month + interval '1 month') at time zone 'Asia/Shanghai');
                made := made + 1;
            end if;
        end if;
        month := month + interval '1 month';
    end loop;
    return made;
end $$;
revoke all on function meter_make_partitions(timestamptz, timestamptz) from public;
grant execute on function meter_make_partitions(timestamptz, timestamptz) to gatehouse_app;
