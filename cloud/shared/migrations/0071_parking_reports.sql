-- What reports and live pages read of parking (DESIGN 1).

-- The business date a view calls today: what the reader set (the hub's Clock), else the civil date in Shanghai.
create function parking_today() returns date language sql stable as $$
    select coalesce(nullif(current_setting('app.today', true), '')::date, (now() at time zone 'Asia/Shanghai')::date)
$$;

create index parking_passages_day on parking_passages (project_id, (((at at time zone 'Asia/Shanghai'))::date));
create index parking_strokes_day on parking_strokes (lane, (((at at time zone 'Asia/Shanghai'))::date)) include (reason);

create view report_passages with (security_invoker = true) as
    select p.company_id, p.project_id, p.box, p.lane, coalesce(l.name, p.lane) as lane_name, p.direction, p.stay, p.plate,
           p.plate_read, p.confidence, p.vehicle_class, p.category, p.entered_at, p.fee_fen, p.paid_fen, p.tariff, p.at, p.clock,
           p.received_at, ((p.at at time zone 'Asia/Shanghai'))::date as business_date
    from parking_passages p left join parking_lanes l on l.lane = p.lane;

create view report_strokes with (security_invoker = true) as
    select s.company_id, s.project_id, s.box, s.lane, coalesce(l.name, s.lane) as lane_name, s.n, s.reason, s.stay, s.by,
           s.reference, s.detail, s.at, s.received_at, ((s.at at time zone 'Asia/Shanghai'))::date as business_date
    from parking_strokes s left join parking_lanes l on l.lane = s.lane;

-- Stays with what came in for them as the hub counts it. state: inside, left, escaped (owes), lost_exit.
create view report_stays with (security_invoker = true) as
    select s.company_id, s.project_id, s.box, s.stay, s.plate, s.vehicle_class, s.category, s.in_lane, s.entered_at, s.entry_seen,
           s.out_lane, s.left_at, s.fee_fen, s.claimed_fen, s.tariff, m.cash_fen, m.online_fen, m.cash_fen + m.online_fen as paid_fen,
           case when s.left_at is not null and s.category in ('casual', 'escaped')
                then greatest(coalesce(s.fee_fen, 0) - m.cash_fen - m.online_fen, 0) else 0 end as unpaid_fen,
           case when s.lost_at is not null then 'lost_exit' when s.left_at is null then 'inside'
                when s.category in ('casual', 'escaped') and coalesce(s.fee_fen, 0) > m.cash_fen + m.online_fen then 'escaped'
                else 'left' end as state,
           s.lost_at, s.lost_to, s.review
    from parking_stays s
    cross join lateral (
        select coalesce((select sum(t.amount_fen) from parking_takings t where t.box = s.box and t.stay = s.stay), 0)::bigint as cash_fen,
               coalesce((select sum(o.amount_fen) from parking_paid_orders o where o.box = s.box and o.stay = s.stay), 0)::bigint
                   as online_fen) m;

-- A lane as it stands. state: due (a vehicle owes there now), a note that nothing has followed yet (call, refused, unread,
-- stuck_open, stuck_closed, vehicle_under_arm, store_full), else ok.
create view report_lanes with (security_invoker = true) as
    select l.company_id, l.project_id, l.box, l.lane, l.name, l.direction, l.zone, l.place,
           p.at as last_passage_at, p.plate as last_plate, p.category as last_category, p.fee_fen as last_fee_fen,
           p.paid_fen as last_paid_fen, s.at as last_stroke_at, s.reason as last_stroke_reason, s.n as last_stroke_n,
           t.strokes as strokes_today, t.unexplained as unexplained_today, t.manual as manual_today,
           f.fee_fen as due_fen, f.plate as due_plate, f.at as due_at,
           case when f.fee_fen is not null then 'due'
                when n.at > greatest(p.at, s.at, '-infinity') then n.what else 'ok' end as state
    from parking_lanes l
    left join lateral (select x.at, x.plate, x.category, x.fee_fen, x.paid_fen from parking_passages x
                       where x.project_id = l.project_id and x.lane = l.lane order by x.at desc limit 1) p on true
    left join lateral (select x.at, x.reason, x.n from parking_strokes x
                       where x.project_id = l.project_id and x.lane = l.lane order by x.at desc limit 1) s on true
    left join lateral (select x.at, x.what from parking_notes x
                       where x.project_id = l.project_id and x.lane = l.lane
                         and x.what in ('call', 'refused', 'unread', 'stuck_open', 'stuck_closed', 'vehicle_under_arm', 'store_full')
                       order by x.at desc limit 1) n on true
    left join lateral (select x.box, x.epoch, x.seq, x.stay, x.at, x.plate, x.fee_fen, x.total_fen from parking_fees x
                       where x.lane = l.lane order by x.id desc limit 1) g on true
    left join lateral (select g.fee_fen, g.plate, g.at
                       where g.fee_fen > 0
                         and not exists (select from parking_passages x
                                         where x.box = g.box and x.stay = g.stay and x.direction = 'out')
                         and not exists (select from parking_notes x
                                         where x.box = g.box and x.stay = g.stay and x.lane = l.lane
                                           and x.what in ('abandoned', 'reversed', 'wrong_way') and x.epoch = g.epoch
                                           and x.seq > g.seq)
                         and g.total_fen > coalesce((select sum(x.amount_fen) from parking_takings x
                                                     where x.box = g.box and x.stay = g.stay), 0)
                                         + coalesce((select sum(x.amount_fen) from parking_paid_orders x
                                                     where x.box = g.box and x.stay = g.stay), 0)) f on true
    cross join lateral (select count(*) as strokes, count(*) filter (where x.reason = 'none') as unexplained,
                               count(*) filter (where x.reason = 'manual') as manual
                        from parking_strokes x
                        where x.lane = l.lane and ((x.at at time zone 'Asia/Shanghai'))::date = (select parking_today())) t
    where l.active;

-- Prices of boxes that are not the hub's own to the byte.
create view report_quote_differences with (security_invoker = true) as
    select company_id, project_id, box, lane, stay, plate, tariff, verdict, problem, fee_fen, hub_fee_fen, entered_at, left_at, at,
           received_at
    from parking_fees where verdict <> 'same';

grant select on report_passages, report_strokes, report_stays, report_lanes, report_quote_differences
    to gatehouse_app, gatehouse_read;
grant execute on function parking_today() to gatehouse_app, gatehouse_read;
