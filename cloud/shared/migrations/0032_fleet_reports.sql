-- What reports and "today" read of boxes. A connection is alive or not by the wall clock, not by business time (B-05).
create view report_boxes with (security_invoker = true) as
    select b.id as box, b.company_id, b.project_id, b.claimed_at,
           case when s.last_seen is null then 'never'
                when s.last_seen > now() - interval '2 minutes' then 'online'
                when s.last_seen > now() - interval '10 minutes' then 'late'
                else 'silent' end as state,
           s.last_seen, s.clock, s.health, s.health -> 'queue' as queue,
           b.quarantined_at, b.quarantine_reason,
           (select count(*) from box_refused r where r.box = b.id) as refused
    from boxes b left join box_sessions s on s.box = b.id;
grant select on report_boxes to gatehouse_app, gatehouse_read;
