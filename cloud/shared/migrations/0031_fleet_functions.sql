-- What must look before a company is known: certificate or topic -> box, claim code -> box, a message that is no event.

create function fleet_box(p_box text) returns table (company_id int, project_id int, serial text, certificate_until timestamptz)
    language sql stable security definer set search_path = public, pg_temp as $$
    select b.company_id, b.project_id, b.serial, b.certificate_until from boxes b where b.id = p_box
$$;

create function fleet_code(p_lookup text)
    returns table (box text, company_id int, project_id int, secret bytea, expires_at timestamptz, used_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp as $$
    select c.box, c.company_id, c.project_id, c.secret, c.expires_at, c.used_at from box_codes c where c.lookup = p_lookup
$$;

create function fleet_taken(p_box text) returns boolean
    language sql stable security definer set search_path = public, pg_temp as $$
    select exists (select from boxes where id = p_box)
$$;

create function fleet_count_bad(p_box text, p_code text, p_at timestamptz, p_sample bytea) returns void
    language sql security definer set search_path = public, pg_temp as $$
    insert into box_bad_messages as known (box, code, company_id, project_id, count, first_at, last_at, sample)
        select coalesce(b.id, '?'), p_code, b.company_id, b.project_id, 1, p_at, p_at, p_sample
        from (values (1)) one left join boxes b on b.id = p_box
        on conflict (box, code) do update
            set count = known.count + 1, last_at = excluded.last_at, sample = excluded.sample
$$;

revoke all on function fleet_box(text), fleet_code(text), fleet_taken(text), fleet_count_bad(text, text, timestamptz, bytea) from public;
grant execute on function fleet_box(text), fleet_code(text), fleet_taken(text), fleet_count_bad(text, text, timestamptz, bytea)
    to gatehouse_app;

-- Locks a box's stream and then reads where it stands, one row an epoch (one with a null epoch when there is none). Two statements
-- on purpose: after waiting for the lock the second one sees what the other worker committed.
create function fleet_lock_stream(p_box text, p_stream text)
    returns table (current_epoch text, quarantined boolean, epoch text, seq bigint, hash text) language plpgsql as $$
declare
    locked box_streams;
begin
    select * into locked from box_streams s where s.box = p_box and s.stream = p_stream for update;
    if not found then
        return;
    end if;
    return query
        select locked.epoch, b.quarantined_at is not null, e.epoch, e.seq, encode(e.hash, 'hex')
        from boxes b left join box_epochs e on e.box = p_box and e.stream = p_stream
        where b.id = p_box;
end $$;
revoke all on function fleet_lock_stream(text, text) from public;
grant execute on function fleet_lock_stream(text, text) to gatehouse_app;
