-- Receipts that take another one back or stand in its place, with who approved it (C-11, C-13, C-20); money held for an owner as a
-- tender (C-02). A reversal is a receipt of its own with the amounts negated.

alter table receipts drop constraint receipts_total_fen_check;
alter table receipts
    add replaces bigint unique references receipts (id),
    add approval_id bigint references approvals (id),
    add approved_by text,
    add reason text,
    add held_fen bigint not null default 0,
    add constraint receipts_total_fen_check check (total_fen <> 0 and (total_fen < 0) = (reverses is not null)),
    add constraint receipts_because check ((approval_id is null) = (approved_by is null) and (approval_id is null) = (reason is null)),
    add constraint receipts_approved check (approval_id is not null or (reverses is null and replaces is null));
comment on column receipts.replaces is 'the reversed receipt in whose place this one stands (C-20)';
comment on column receipts.held_fen is 'the part that was paid from money held before (wallets): not taken on this day';

alter table receipt_tenders drop constraint receipt_tenders_amount_fen_check;
alter table receipt_tenders drop constraint receipt_tenders_method_check;
alter table receipt_tenders
    add constraint receipt_tenders_method_check
        check (method in ('cash', 'pos', 'transfer', 'cheque', 'wechat', 'alipay', 'simulated', 'wallet')),
    add constraint receipt_tenders_amount_fen_check check ((amount_fen < 0) = (tendered_fen < 0));

insert into setting_names (name, title, kind, high_risk, usual) values
    ('counter.late_first', '先收违约金再收本金', 'flag', true, 'false');

-- What was paid from a wallet came in when the wallet was filled: the day's takings do not hold it again.
create or replace view report_takings with (security_invoker = true) as
    select r.company_id, r.project_id, r.business_date, t.method as tender, r.kind, t.amount_fen, r.at, r.arrived_at,
           r.id as receipt_id, b.code as book, r.number, r.object, r.cashier, r.cashier_name, r.terminal
    from receipts r
    join receipt_books b on b.id = r.book_id
    join receipt_tenders t on t.receipt_id = r.id and t.method <> 'wallet'
    union all
    select e.company_id, e.project_id, e.business_date, case p.root when 'cash_drawer' then 'cash' else p.root end, e.kind,
           p.amount_fen, e.booked_at, e.arrived_at, null, null, null, e.source, null, null, null
    from ledger_entries e
    join ledger_postings p on p.entry_id = e.id and p.root <> 'suspense'
    where e.kind = 'suspense';
create or replace view report_tenders with (security_invoker = true) as
    select company_id, project_id, business_date, receipt_id, line, method as tender,
           case method when 'wallet' then 0 else amount_fen end as amount_fen
    from receipt_tenders;
-- Receipts reversed or standing in for another, for reports and alarms (G-01).
create view report_reversals with (security_invoker = true) as
    select r.company_id, r.project_id, r.business_date, r.id as receipt_id, r.reverses, o.at as original_at, r.at, r.total_fen,
           r.cashier, r.terminal, r.approval_id, r.approved_by, r.reason, n.id as replaced_by,
           (select count(*) from receipt_prints p where p.receipt_id = o.id and p.at <= r.at) as prints_before
    from receipts r join receipts o on o.id = r.reverses left join receipts n on n.replaces = o.id;
grant select on report_reversals to gatehouse_app, gatehouse_read;

-- As in 0090, with the day that ledger_post chose (C-34), the entry it reverses, and what a reversal or replacement says.
drop function counter_post;
create function counter_post(
    p_project int, p_kind text, p_source text, p_asked bytea, p_booked timestamptz, p_arrived timestamptz, p_business date,
    p_body text, p_accounts text[], p_amounts bigint[], p_refs text[], p_subject text, p_fields text[], p_salts bytea[],
    p_values text[], p_book int, p_number bigint, p_receipt jsonb, p_lines jsonb, p_tenders jsonb,
    p_late boolean default false, p_reverses bigint default null
) returns table (outcome text, receipt_id bigint, receipt_number bigint, entry_id bigint, entry_seq bigint, entry_hash bytea,
                 entry_day date) language plpgsql as $$
declare
    head ledger_heads;
    known ledger_entries;
    book receipt_books;
    posted record;
    v_receipt bigint;
    closed date;
begin
    select * into head from ledger_lock_head(p_project);
    if head.project_id is null then
        return query select 'no_project', null::bigint, null::bigint, null::bigint, null::bigint, null::bytea, null::date;
        return;
    end if;
    select * into known from ledger_entries e where e.project_id = p_project and e.source = p_source;
    if known.id is not null then
        return query select case when known.asked = p_asked then 'repeated' else 'conflict' end,
                            r.id, r.number, known.id, known.seq, known.hash, known.business_date
            from (values (1)) one left join receipts r on r.entry_id = known.id;
        return;
    end if;
    select max(p.day) into closed from ledger_periods p where p.project_id = p_project and p.kind = 'day';
    if p_business <= closed and not p_late then
        return query select 'day_closed', null::bigint, null::bigint, null::bigint, null::bigint, null::bytea, closed;
        return;
    end if;
    if p_number is not null and exists (select from receipts r where r.book_id = p_book and r.number = p_number) then
        return query select 'number_used', null::bigint, p_number, null::bigint, null::bigint, null::bytea, null::date;
        return;
    end if;
    update receipt_books b set taken = case when p_number is null then greatest(b.taken + 1, b.first_number)
                                            else greatest(b.taken, p_number) end
        where b.id = p_book and b.project_id = p_project
          and (p_number is not null or b.state = 'open' and (b.last_number is null or b.taken < b.last_number))
        returning b.* into book;
    if book.id is null then
        return query select case when exists (select from receipt_books b where b.id = p_book and b.project_id = p_project)
                                 then 'book_full' else 'no_book' end,
                            null::bigint, null::bigint, null::bigint, null::bigint, null::bytea, null::date;
        return;
    end if;
    book.taken := coalesce(p_number, book.taken);
    select * into posted from ledger_post(p_project, p_kind, p_source, p_asked, p_booked, p_arrived, p_business, p_reverses,
        '{"book":' || to_json(book.code)::text || ',"number":' || book.taken || ',' || substr(p_body, 2),
        p_accounts, p_amounts, p_refs, p_subject, p_fields, p_salts, p_values, p_late);
    if posted.outcome <> 'posted' then
        raise exception 'entry % of receipt: %', p_source, posted.outcome;
    end if;
    insert into receipts (company_id, project_id, book_id, number, kind, entry_id, at, arrived_at, business_date, room_id, object,
                          total_fen, change_fen, cashier, cashier_name, shift_id, terminal, order_no, request_key, request_digest, reverses,
                          replaces, approval_id, approved_by, reason, held_fen)
        select head.company_id, p_project, p_book, book.taken, p_kind, posted.entry_id, p_booked, p_arrived, posted.entry_day, r.room_id,
               r.object, r.total_fen, r.change_fen, r.cashier, r.cashier_name, r.shift_id, r.terminal, r.order_no, r.request_key,
               r.request_digest, r.reverses, r.replaces, r.approval_id, r.approved_by, r.reason, coalesce(r.held_fen, 0)
        from jsonb_populate_record(null::receipts, p_receipt) r
        returning id into v_receipt;
    insert into receipt_lines (receipt_id, line, company_id, charge_line, item, item_name, object, period_from, period_to, formula,
                               principal_fen, late_fee_fen)
        select v_receipt, l.line, head.company_id, l.charge_line, l.item, l.item_name, l.object, l.period_from, l.period_to, l.formula,
               l.principal_fen, l.late_fee_fen
        from jsonb_populate_recordset(null::receipt_lines, p_lines) l;
    insert into receipt_tenders (receipt_id, line, company_id, method, tendered_fen, amount_fen, reference)
        select v_receipt, t.line, head.company_id, t.method, t.tendered_fen, t.amount_fen, t.reference
        from jsonb_populate_recordset(null::receipt_tenders, p_tenders) t;
    return query select 'posted', v_receipt, book.taken, posted.entry_id::bigint, posted.entry_seq::bigint, posted.entry_hash::bytea,
                        posted.entry_day::date;
end $$;
