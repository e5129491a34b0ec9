-- Receipt books are registered, given to a project's counter, returned and counted (C-08); a company's receipt form is data (C-09).

insert into setting_names (name, title, kind, high_risk, usual) values
    ('receipt.template', '收据格式', 'document', false, '{"paper": "a5"}');

alter table receipt_books drop constraint receipt_books_kind_check;
alter table receipt_books add constraint receipt_books_kind_check check (kind in ('counter', 'online', 'lane', 'paper'));
alter table receipt_books
    add terminal text check (length(terminal) between 1 and 40),
    add registered_at timestamptz,
    add registered_by text,
    add state text not null default 'open' check (state in ('open', 'returned', 'counted')),
    add state_at timestamptz,
    add returned_by text,
    add counted_by text,
    add counted_used bigint,
    add counted_note text;
comment on column receipt_books.kind is 'counter: numbered by the hub; paper: pre-printed, entered late by hand (C-22)';
comment on column receipt_books.terminal is 'the counter it is assigned to; null: any of the project';
comment on column receipt_books.counted_used is 'how many papers were found used when the returned book was counted';
create unique index receipt_books_open_at on receipt_books (project_id, terminal)
    where kind = 'counter' and state = 'open' and terminal is not null;
grant update (terminal, state, state_at, returned_by, counted_by, counted_used, counted_note) on receipt_books to gatehouse_app;
grant update (book_id) on shifts to gatehouse_app;

-- What alarms and the books page read: how many numbers are left, what is missing (G-02).
create view report_books with (security_invoker = true) as
    select b.company_id, b.project_id, b.id as book_id, b.code, b.kind, b.terminal, b.first_number, b.last_number, b.taken, b.state,
           b.state_at, b.registered_at, b.registered_by, b.returned_by, b.counted_by, b.counted_used, b.counted_note,
           b.last_number - greatest(b.taken, b.first_number - 1) as left_over,
           greatest(b.taken - b.first_number + 1, 0) - (select count(*) from receipts r where r.book_id = b.id) as missing
    from receipt_books b;
grant select on report_books to gatehouse_app, gatehouse_read;
