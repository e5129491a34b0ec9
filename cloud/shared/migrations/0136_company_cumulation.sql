-- What counts together toward an approval's tier (A-11) is a company's, not only what the asker may see of it: a request split over
-- two projects by people of one project each counts whole. Only the sum goes out, and only of a company of this transaction.
create function approval_cumulated(p_company int, p_family text, p_beneficiary text, p_since timestamptz) returns bigint
    language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce(sum(a.amount_fen), 0)::bigint from approvals a join approval_kinds k on k.code = a.kind
    where a.company_id = p_company and k.family = p_family and a.beneficiary = p_beneficiary and a.requested_at > p_since
      and a.state in ('waiting', 'approved')
      and p_company = any ((select string_to_array(nullif(current_setting('app.companies', true), ''), ','))::int[])
$$;
revoke all on function approval_cumulated(int, text, text, timestamptz) from public;
grant execute on function approval_cumulated(int, text, text, timestamptz) to gatehouse_app;
