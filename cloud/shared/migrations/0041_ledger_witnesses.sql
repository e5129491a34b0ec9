-- What an acknowledgement carries: the head of a project's chain and those of two projects that have no box of their own to keep
-- them (DESIGN 3). It crosses companies, so it tells no more than project, number and hash.
create function ledger_witness_heads(p_project int) returns table (project_id int, seq bigint, hash bytea)
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    return query
        select h.project_id, h.seq, h.hash from ledger_heads h where h.project_id = p_project and h.seq > 0;
    return query
        select h.project_id, h.seq, h.hash from ledger_heads h
        where h.project_id <> p_project and h.seq > 0 and not exists (select from boxes b where b.project_id = h.project_id)
        order by random() limit 2;
end $$;
revoke all on function ledger_witness_heads(int) from public;
grant execute on function ledger_witness_heads(int) to gatehouse_app;
