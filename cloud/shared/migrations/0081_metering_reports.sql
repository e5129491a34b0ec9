-- What reports and pages read of meters (DESIGN 1).

-- Every reading with all that is known of it; `tariff` null: the quantity knows none.
create view report_readings with (security_invoker = true) as
    select v.company_id, v.project_id, m.id as meter_id, m.number as meter, m.kind, m.name, m.room_id, r.quantity,
           nullif(r.tariff, -1) as tariff, r.unit, v.at, v.value,
           (array['good', 'jump', 'falling', 'back_filled'])[v.quality + 1] as quality,
           o.bus, o.box, o.epoch, o.seq, o.received_at
    from meter_readings v
    join meter_registers r on r.id = v.register_id
    join meters m on m.id = r.meter_id
    join meter_rounds o on o.id = v.round_id;

-- The newest reading of each register.
create view report_latest_readings with (security_invoker = true) as
    select m.company_id, m.project_id, m.id as meter_id, m.number as meter, m.kind, m.name, m.room_id, m.bus, r.quantity,
           nullif(r.tariff, -1) as tariff, r.unit, v.at, v.value,
           (array['good', 'jump', 'falling', 'back_filled'])[v.quality + 1] as quality
    from meters m
    join meter_registers r on r.meter_id = m.id
    cross join lateral (select x.at, x.value, x.quality from meter_readings x
                        where x.register_id = r.id order by x.at desc, x.value desc limit 1) v;

-- One register, one instant, more than one value: somebody has to look.
create view report_reading_conflicts with (security_invoker = true) as
    select v.company_id, v.project_id, m.number as meter, r.quantity, nullif(r.tariff, -1) as tariff, r.unit, v.at,
           array_agg(v.value order by v.value) as "values"
    from meter_readings v join meter_registers r on r.id = v.register_id join meters m on m.id = r.meter_id
    group by v.company_id, v.project_id, m.number, r.quantity, r.tariff, r.unit, v.at
    having count(*) > 1;

-- Readings of the business date a reader set with app.today (the hub's Clock), else of the civil date in Shanghai, by project.
create view report_readings_today with (security_invoker = true) as
    select p.company_id, p.id as project_id, n.readings, n.meters_read, n.to_review, n.last_at, k.meters, k.planned,
           o.rounds, o.meters_missing
    from projects p
    cross join lateral (select coalesce(nullif(current_setting('app.today', true), '')::date,
                                        (now() at time zone 'Asia/Shanghai')::date) as today) d
    cross join lateral (select d.today::timestamp at time zone 'Asia/Shanghai' as since,
                               (d.today + 1)::timestamp at time zone 'Asia/Shanghai' as until) t
    cross join lateral (select count(*) as meters, count(*) filter (where m.bus is not null) as planned
                        from meters m where m.project_id = p.id) k
    cross join lateral (select count(v.at) as readings, count(distinct r.meter_id) filter (where v.at is not null) as meters_read,
                               count(*) filter (where v.quality in (1, 2)) as to_review, max(v.at) as last_at
                        from meter_registers r
                        left join meter_readings v on v.register_id = r.id and v.at >= t.since and v.at < t.until
                        where r.project_id = p.id) n
    cross join lateral (select count(*) as rounds, coalesce(sum(cardinality(x.missing)), 0)::bigint as meters_missing
                        from meter_rounds x where x.project_id = p.id and x.at >= t.since and x.at < t.until) o
    where k.meters > 0;

grant select on report_readings, report_latest_readings, report_reading_conflicts, report_readings_today
    to gatehouse_app, gatehouse_read;
