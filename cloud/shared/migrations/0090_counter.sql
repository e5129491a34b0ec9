-- Books, shifts, receipts. A receipt and its parts are only ever inserted; a reversal is another receipt (C-07, C-11).

create table receipt_books (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    code text not null check (code ~ '^[A-Za-z0-9-]{1,40}$'),
    kind text not null check (kind in ('counter', 'online', 'lane')),
    first_number bigint not null default 1 check (first_number > 0),
    last_number bigint,
    taken bigint not null default 0,
    unique (company_id, code),
    check (last_number >= first_number)
);
comment on column receipt_books.taken is 'the highest number taken: the next receipt of a hub book gets taken + 1; a lane book is numbered by its box';

create table shifts (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    user_id int not null,
    user_number text not null,
    user_name text not null,
    terminal text not null check (length(terminal) between 1 and 40),
    book_id int not null references receipt_books (id),
    float_fen bigint not null check (float_fen >= 0),
    opened_at timestamptz not null,
    closed_at timestamptz
);
create unique index shifts_one_open_per_person on shifts (user_id) where closed_at is null;
create unique index shifts_one_open_per_terminal on shifts (project_id, terminal) where closed_at is null;

create table receipts (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    book_id int not null references receipt_books (id),
    number bigint not null,
    kind text not null check (kind in ('counter', 'lane_cash', 'order')),
    entry_id bigint not null unique references ledger_entries (id),
    at timestamptz not null,
    arrived_at timestamptz not null,
    business_date date not null,
    room_id int references rooms (id),
    object text not null,
    total_fen bigint not null check (total_fen > 0),
    change_fen bigint not null check (change_fen >= 0),
    cashier text not null,
    cashier_name text not null,
    shift_id int references shifts (id),
    terminal text not null,
    order_no text references payment_orders (order_no),
    reverses bigint unique references receipts (id),
    request_key text not null,
    request_digest text not null,
    unique (book_id, number),
    unique (project_id, request_key),
    constraint receipts_shift check (kind <> 'counter' or shift_id is not null)
);
create index receipts_day on receipts (project_id, business_date, at desc);
create index receipts_shift_id on receipts (shift_id);

create table receipt_lines (
    receipt_id bigint not null references receipts (id),
    line smallint not null,
    company_id int not null,
    charge_line bigint references charge_lines (id),
    item text not null,
    item_name text not null,
    object text not null,
    period_from date,
    period_to date,
    formula text not null,
    principal_fen bigint not null,
    late_fee_fen bigint not null,
    primary key (receipt_id, line)
);
create index receipt_lines_charge_line on receipt_lines (charge_line);

create table receipt_tenders (
    receipt_id bigint not null references receipts (id),
    line smallint not null,
    company_id int not null,
    method text not null check (method in ('cash', 'pos', 'transfer', 'cheque', 'wechat', 'alipay', 'simulated')),
    tendered_fen bigint not null,
    amount_fen bigint not null check (amount_fen >= 0),
    reference text,
    primary key (receipt_id, line)
);

create table receipt_prints (
    id bigint generated always as identity primary key,
    company_id int not null,
    receipt_id bigint not null references receipts (id),
    n int not null check (n > 0),
    at timestamptz not null,
    by_number text not null,
    by_name text not null,
    unique (receipt_id, n)
);
comment on table receipt_prints is 'print 1 is the original, each further one a reprint 补打 (C-10)';

select add_company_scope('receipt_books');
select add_company_scope('shifts');
select add_company_scope('receipts');
select add_company_scope('receipt_lines');
select add_company_scope('receipt_tenders');
select add_company_scope('receipt_prints');
grant select, insert, update (taken) on receipt_books to gatehouse_app;
grant select, insert, update (closed_at) on shifts to gatehouse_app;
grant select, insert on receipts, receipt_lines, receipt_tenders, receipt_prints to gatehouse_app;
grant select on receipt_books, shifts, receipts, receipt_lines, receipt_tenders, receipt_prints to gatehouse_read;

-- Takes the next number of a book (or the box's own) and posts entry and receipt, in one round trip. Locks in the order of DESIGN 3:
-- chain head, then book. Outcome as ledger_post, and book_full, number_used, no_book.
create function counter_post(
    p_project int, p_kind text, p_source text, p_asked bytea, p_booked timestamptz, p_arrived timestamptz, p_business date,
    p_body text, p_accounts text[], p_amounts bigint[], p_refs text[], p_subject text, p_fields text[], p_salts bytea[],
    p_values text[], p_book int, p_number bigint, p_receipt jsonb, p_lines jsonb, p_tenders jsonb
) returns table (outcome text, receipt_id bigint, receipt_number bigint, entry_id bigint, entry_seq bigint, entry_hash bytea)
language plpgsql as $$
declare
    head ledger_heads;
    known ledger_entries;
    book receipt_books;
    posted record;
    v_receipt bigint;
begin
    select * into head from ledger_lock_head(p_project);
    if head.project_id is null then
        return query select 'no_project', null::bigint, null::bigint, null::bigint, null::bigint, null::bytea;
        return;
    end if;
    select * into known from ledger_entries e where e.project_id = p_project and e.source = p_source;
    if known.id is not null then
        return query select case when known.asked = p_asked then 'repeated' else 'conflict' end,
                            r.id, r.number, known.id, known.seq, known.hash
            from (values (1)) one left join receipts r on r.entry_id = known.id;
        return;
    end if;
    if p_number is not null and exists (select from receipts r where r.book_id = p_book and r.number = p_number) then
        return query select 'number_used', null::bigint, p_number, null::bigint, null::bigint, null::bytea;
        return;
    end if;
    update receipt_books b set taken = case when p_number is null then greatest(b.taken + 1, b.first_number)
                                            else greatest(b.taken, p_number) end
        where b.id = p_book and b.project_id = p_project and (p_number is not null or b.last_number is null or b.taken < b.last_number)
        returning b.* into book;
    if book.id is null then
        return query select case when exists (select from receipt_books b where b.id = p_book and b.project_id = p_project)
                                 then 'book_full' else 'no_book' end,
                            null::bigint, null::bigint, null::bigint, null::bigint, null::bytea;
        return;
    end if;
    book.taken := coalesce(p_number, book.taken);
    select * into posted from ledger_post(p_project, p_kind, p_source, p_asked, p_booked, p_arrived, p_business, null,
        '{"book":' || to_json(book.code)::text || ',"number":' || book.taken || ',' || substr(p_body, 2),
        p_accounts, p_amounts, p_refs, p_subject, p_fields, p_salts, p_values);
    insert into receipts (company_id, project_id, book_id, number, kind, entry_id, at, arrived_at, business_date, room_id, object,
                          total_fen, change_fen, cashier, cashier_name, shift_id, terminal, order_no, request_key, request_digest)
        select head.company_id, p_project, p_book, book.taken, p_kind, posted.entry_id, p_booked, p_arrived, p_business, r.room_id,
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
    return query select 'posted', v_receipt, book.taken, posted.entry_id::bigint, posted.entry_seq::bigint, posted.entry_hash::bytea;
end $$;
