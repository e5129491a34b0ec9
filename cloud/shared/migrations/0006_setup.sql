-- How far a new company has come (UI.md 17), in the scope of whoever asks. Asked only while there is no ledger entry yet.

create function setup_steps() returns table (rooms boolean, charges boolean, shifts boolean) language plpgsql stable as $$
begin
    return query select exists (select from rooms), exists (select from charge_lines), exists (select from shifts);
end $$;
grant execute on function setup_steps() to gatehouse_app;
