-- 过户 carried out (O-03, Q-22): lines whose payer changed, and deposits that changed hands.

alter table charge_lines
    add billed_payer_id int references owners (id),
    add check (billed_payer_id is null or payer_id is not null);
comment on column charge_lines.billed_payer_id is
    'whom the line was billed to, once somebody else owes it: an entry of the kind owner_transfer names the line and who that is';
grant update (payer_id, billed_payer_id) on charge_lines to gatehouse_app;

-- As in 0050, with what the calculator was given (lines from before have none and keep their digest), of lines as they were billed.
create or replace function charge_batch_digest(p_batch bigint) returns text language sql stable as $$
    select encode(sha256(convert_to(coalesce(string_agg(concat_ws(' ', c.id, c.project_id, i.code, c.object,
        coalesce(c.billed_payer_id, c.payer_id),
        to_char(c.period_from, 'YYYY-MM-DD'), to_char(c.period_to, 'YYYY-MM-DD'), c.amount_fen, to_char(c.due_date, 'YYYY-MM-DD'),
        c.formula, c.inputs, c.late_policy, c.adjusts), E'\n' order by c.id), ''), 'UTF8')), 'hex')
    from charge_lines c join fee_items i on i.id = c.item_id where c.batch = p_batch
$$;

alter table deposit_movements drop constraint deposit_movements_kind_check;
alter table deposit_movements add constraint deposit_movements_kind_check
    check (kind in ('receive', 'deduct', 'offset', 'refund', 'transfer', 'reversal'));
