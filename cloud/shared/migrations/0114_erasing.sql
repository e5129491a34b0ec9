-- Erasing a person (O-10, N-07): names on refunds that were paid may go; before that nobody changes to whom the money goes.

create function refund_names_guard() returns trigger language plpgsql as $$
begin
    if old.state <> 'paid' then
        raise exception 'refund % is not paid: its payee stays', old.id using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger refunds_names_guard before update of payee_name, payer_name, payee_account on refunds
    for each row execute function refund_names_guard();
grant update (payee_name, payer_name, payee_account) on refunds to gatehouse_app;
