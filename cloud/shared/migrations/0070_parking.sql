-- Parking: what a site is told (lanes, tariffs, calendar, passes, guards) and what its lanes report (REQUIREMENTS 10, 18).

create table parking_sites (
    project_id int not null references projects (id),
    box text not null references boxes (id),
    company_id int not null,
    set_at timestamptz not null,
    set_by text not null,
    primary key (project_id, box)
);

create table parking_lanes (
    lane text primary key check (lane ~ '^[a-z0-9][a-z0-9-]{1,39}$'),
    company_id int not null,
    project_id int not null references projects (id),
    box text not null references boxes (id),
    name text not null,
    direction text not null check (direction in ('in', 'out')),
    zone text not null,
    tariff text not null,
    config text not null,
    active boolean not null default true,
    place int not null
);
comment on table parking_lanes is 'A lane is named once in the whole hub: its QR code carries nothing else. One taken down stays known';
create index parking_lanes_project on parking_lanes (project_id, place);

create table parking_tariffs (
    project_id int not null references projects (id),
    tariff text not null,
    version int not null check (version > 0),
    company_id int not null,
    rules text not null,
    created_at timestamptz not null,
    created_by text not null,
    primary key (project_id, tariff, version)
);
comment on table parking_tariffs is 'A version never changes (K-20): it prices stays for ever, with the same lines';

create table parking_calendars (
    project_id int primary key references projects (id),
    company_id int not null,
    body text not null,
    set_at timestamptz not null,
    set_by text not null
);

create table parking_passes (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    plate text not null,
    category text not null check (category in ('monthly', 'vip', 'free', 'staff', 'visitor', 'blacklist')),
    starts timestamptz not null,
    lasts timestamptz not null check (lasts >= starts),
    set_at timestamptz not null,
    set_by text not null,
    removed_at timestamptz,
    removed_by text
);
create unique index parking_passes_once on parking_passes (project_id, plate, category, starts) where removed_at is null;

create table parking_guards (
    project_id int not null references projects (id),
    number text not null,
    company_id int not null,
    name text not null,
    pin text not null,
    set_at timestamptz not null,
    set_by text not null,
    primary key (project_id, number)
);

-- What boxes reported, one row an event, for good. at: the box's clock, received_at: the hub's.
create table parking_passages (
    box text not null,
    epoch text not null,
    seq bigint not null,
    company_id int not null,
    project_id int not null,
    lane text not null,
    direction text not null check (direction in ('in', 'out')),
    stay text not null,
    plate text,
    plate_read text,
    plate_colour text,
    confidence smallint,
    vehicle_class text not null,
    category text not null,
    entered_at timestamptz,
    fee_fen bigint check (fee_fen >= 0),
    paid_fen bigint check (paid_fen >= 0),
    tariff text,
    stroke bigint,
    snapshot jsonb,
    at timestamptz not null,
    clock text not null,
    received_at timestamptz not null,
    primary key (box, epoch, seq)
);
create index parking_passages_lane on parking_passages (project_id, lane, at desc);
create index parking_passages_stay on parking_passages (box, stay);
create index parking_passages_plate on parking_passages (project_id, plate, at desc);

create table parking_strokes (
    box text not null,
    epoch text not null,
    seq bigint not null,
    company_id int not null,
    project_id int not null,
    lane text not null,
    n bigint not null check (n > 0),
    reason text not null,
    stay text,
    by text,
    reference text,
    detail text,
    snapshot jsonb,
    at timestamptz not null,
    clock text not null,
    received_at timestamptz not null,
    primary key (box, epoch, seq)
);
comment on column parking_strokes.n is 'The lane''s own counter: without gaps within an epoch of the box''s store';
create index parking_strokes_n on parking_strokes (box, lane, epoch, n);
create index parking_strokes_lane on parking_strokes (project_id, lane, at desc) include (reason);

create table parking_notes (
    box text not null,
    epoch text not null,
    seq bigint not null,
    company_id int not null,
    project_id int not null,
    lane text not null,
    what text not null,
    stay text,
    plate text,
    detail text,
    snapshot jsonb,
    at timestamptz not null,
    clock text not null,
    received_at timestamptz not null,
    primary key (box, epoch, seq)
);
create index parking_notes_lane on parking_notes (project_id, lane, at desc);
create index parking_notes_stay on parking_notes (box, stay) where stay is not null;

create table parking_takings (
    box text not null,
    epoch text not null,
    seq bigint not null,
    company_id int not null,
    project_id int not null,
    payment text not null,
    lane text not null,
    stay text not null,
    plate text,
    amount_fen bigint not null check (amount_fen > 0),
    operator text not null,
    book text not null,
    number bigint not null,
    at timestamptz not null,
    clock text not null,
    received_at timestamptz not null,
    primary key (box, epoch, seq),
    unique (box, payment)
);
create index parking_takings_stay on parking_takings (box, stay) include (amount_fen);

-- What a vehicle owes at an exit, as the box priced it and as the hub prices it itself (K-21).
create table parking_fees (
    id bigint generated always as identity primary key,
    box text not null,
    epoch text not null,
    seq bigint not null,
    company_id int not null,
    project_id int not null,
    lane text not null,
    stay text not null,
    plate text,
    vehicle_class text not null,
    entered_at timestamptz not null,
    left_at timestamptz not null,
    tariff text not null,
    fee_fen bigint not null check (fee_fen >= 0),
    total_fen bigint not null check (total_fen >= 0),
    quote text not null,
    verdict text not null check (verdict in ('same', 'differs', 'wrong_amount', 'unpriced')),
    problem text,
    hub_fee_fen bigint,
    hub_quote text,
    review text[] not null,
    at timestamptz not null,
    clock text not null,
    received_at timestamptz not null,
    unique (box, epoch, seq),
    check ((verdict = 'same') = (hub_quote is null and problem is null))
);
comment on column parking_fees.fee_fen is 'Still to be paid; total_fen: what the stay costs in all';
comment on column parking_fees.hub_quote is 'Kept only where it is not byte for byte the box''s';
create index parking_fees_lane on parking_fees (lane, id desc);
create index parking_fees_stay on parking_fees (box, stay);
create index parking_fees_differ on parking_fees (project_id, id) where verdict <> 'same';

-- Stays: what the events add up to. Only the ingest of a box writes here, so that nothing waits for a payment's locks:
-- what was paid is the sum of takings and paid orders, read when asked.
create table parking_stays (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    box text not null,
    stay text not null,
    plate text,
    vehicle_class text not null,
    category text not null,
    in_lane text,
    entered_at timestamptz,
    entry_seen boolean not null,
    out_lane text,
    left_at timestamptz,
    fee_fen bigint check (fee_fen >= 0),
    claimed_fen bigint check (claimed_fen >= 0),
    tariff text,
    lost_at timestamptz,
    lost_to text,
    review text[] not null,
    unique (box, stay)
);
comment on column parking_stays.claimed_fen is 'What the box says was paid; the hub counts for itself';
comment on column parking_stays.lost_at is 'The vehicle was seen elsewhere without having left (K-31, K-32); lost_to is the stay that showed it';
create index parking_stays_open on parking_stays (project_id, plate) where left_at is null and lost_at is null;
create index parking_stays_left on parking_stays (project_id, left_at desc) where left_at is not null;
create index parking_stays_named on parking_stays (project_id, stay);

create table parking_orders (
    order_no text primary key,
    company_id int not null,
    project_id int not null,
    box text not null,
    lane text not null,
    stay text not null,
    plate text,
    amount_fen bigint not null check (amount_fen > 0),
    created_at timestamptz not null
);
create index parking_orders_stay on parking_orders (box, stay);

create table parking_paid_orders (
    order_no text primary key references parking_orders (order_no),
    company_id int not null,
    project_id int not null,
    box text not null,
    stay text not null,
    amount_fen bigint not null check (amount_fen > 0),
    paid_at timestamptz not null,
    arrived_at timestamptz not null
);
create index parking_paid_orders_stay on parking_paid_orders (box, stay) include (amount_fen);

select add_company_scope(t) from unnest(array['parking_sites', 'parking_lanes', 'parking_tariffs', 'parking_calendars',
    'parking_passes', 'parking_guards', 'parking_passages', 'parking_strokes', 'parking_notes', 'parking_takings', 'parking_fees',
    'parking_stays', 'parking_orders', 'parking_paid_orders']) as t;

grant select, insert on parking_tariffs, parking_passages, parking_strokes, parking_notes, parking_takings, parking_fees,
    parking_orders, parking_paid_orders to gatehouse_app;
grant select, insert, update on parking_sites, parking_lanes, parking_calendars, parking_guards, parking_stays to gatehouse_app;
grant select, insert, update (lasts, set_at, set_by, removed_at, removed_by) on parking_passes to gatehouse_app;
grant select on parking_sites, parking_lanes, parking_tariffs, parking_calendars, parking_passes, parking_passages,
    parking_strokes, parking_notes, parking_takings, parking_fees, parking_stays, parking_orders, parking_paid_orders
    to gatehouse_read;

-- Lane -> where it stands, before a scope is known: all that a QR code at the lane says.
create function parking_lane_place(p_lane text, out company_id int, out project_id int, out box text) returns record
    language sql stable security definer set search_path = public, pg_temp as $$
    select l.company_id, l.project_id, l.box from parking_lanes l where l.lane = p_lane and l.active
$$;

-- Of the lanes a box names: those of other projects, and those nobody has set up.
create function parking_strange_lanes(p_project int, p_lanes text[], out foreign_lanes text[], out unknown_lanes text[]) returns record
    language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce(array_agg(n.lane) filter (where l.project_id <> p_project), '{}'),
           coalesce(array_agg(n.lane) filter (where l.lane is null), '{}')
    from (select distinct unnest(p_lanes) as lane) n left join parking_lanes l on l.lane = n.lane
$$;

revoke all on function parking_lane_place(text), parking_strange_lanes(int, text[]) from public;
grant execute on function parking_lane_place(text), parking_strange_lanes(int, text[]) to gatehouse_app;
