-- Receipts into closed days (C-34): refused, or for machines' late events the first open day. And the ledger's index for balances
-- by reference as of a day, after 0092 made its own.

drop index ledger_postings_account;
create index ledger_postings_account on ledger_postings (project_id, root, ref)
    include (amount_fen, company_id, business_date, account);

-- As in 0090, with the day that ledger_post chose.
drop function counter_post;
create function counter_post(
    p_project int, p_kind text, p_source text, p_asked bytea, p_booked timestamptz, p_arrived timestamptz, p_business date,
    p_body text, p_accounts text[], p_amounts bigint[], p_refs text[], p_subject text, p_fields text[], p_salts bytea[],
    p_values text[], p_book int, p_number bigint, p_receipt jsonb, p_lines jsonb, p_tenders jsonb,
    p_late boolean default false
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
        where b.id = p_book and b.project_id = p_project and (p_number is not null or b.last_number is null or b.taken < b.last_number)
        returning b.* into book;
    if book.id is null then
        return query select case when exists (select from receipt_books b where b.id = p_book and b.project_id = p_project)
                                 then 'book_full' else 'no_book' end,
                            null::bigint, null::bigint, null::bigint, null::bigint, null::bytea, null::date;
        return;
    end if;
    book.taken := coalesce(p_number, book.taken);
    select * into posted from ledger_post(p_project, p_kind, p_source, p_asked, p_booked, p_arrived, p_business, null,
        '{"book":' || to_json(book.code)::text || ',"number":' || book.taken || ',' || substr(p_body, 2),
        p_accounts, p_amounts, p_refs, p_subject, p_fields, p_salts, p_values, p_late);
    insert into receipts (company_id, project_id, book_id, number, kind, entry_id, at, arrived_at, business_date, room_id, object,
                          total_fen, change_fen, cashier, cashier_name, shift_id, terminal, order_no, request_key, request_digest)
        select head.company_id, p_project, p_book, book.taken, p_kind, posted.entry_id, p_booked, p_arrived, posted.entry_day, r.room_id,
               r.object, r.total_fen, r.change_fen, r.cashier, r.cashier_name, r.shift_id, r.terminal, r.order_no, r.request_key,
               r.request_digest
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
