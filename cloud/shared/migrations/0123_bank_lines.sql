-- A line of a statement is a slip's cash by more than its amount (C-36, G-08): what the bank calls it, who paid, why somebody had to
-- decide. And a line is used once, ever, whatever it is used for.

alter table bank_lines
    add kind text not null default 'other' check (kind in ('cash', 'settlement', 'transfer', 'other')),
    add payer text not null default '' check (length(payer) <= 100),
    add twin int references bank_lines (id),
    add doubt text,
    add decided_reason text check (length(decided_reason) between 5 and 200);
comment on column bank_lines.twin is 'a line of another file with the same day, sum and remark under another serial';
comment on column bank_lines.doubt is 'why a person has to say whether it is the suggested slip''s; null: plain, or like no slip';
comment on column bank_lines.decided_reason is 'what headquarters wrote when it confirmed a line that was not plain';
grant update (doubt, decided_reason) on bank_lines to gatehouse_app;

create table bank_line_uses (
    line_id int primary key references bank_lines (id),
    company_id int not null,
    used_for text not null,
    at timestamptz not null,
    by_number text not null
);
comment on table bank_line_uses is 'a line is used once, ever: ''slip:4'', ''tenders'', ''batch:7''';
insert into bank_line_uses (line_id, company_id, used_for, at, by_number)
    select id, company_id, 'slip:' || slip_id, confirmed_at, confirmed_by from bank_lines where slip_id is not null;
select add_company_scope('bank_line_uses');
grant select, insert on bank_line_uses to gatehouse_app;
grant select on bank_line_uses to gatehouse_read;
create trigger bank_line_uses_append_only before update or delete or truncate on bank_line_uses
    for each statement execute function ledger_refuse_change();

-- The same account is not registered twice: one statement would count in both.
create unique index bank_accounts_same on bank_accounts (company_id, tail, holder);

-- What headquarters decided although it was not plain, for controls.
create view report_counter_slip_decisions with (security_invoker = true) as
    select l.company_id, s.project_id, s.id as slip_id, l.id as line_id, l.day, l.amount_fen, l.remark, l.kind, l.payer,
           l.decided_reason as reason, l.confirmed_by, l.confirmed_name, l.confirmed_at, s.depositor, s.depositor_name
    from bank_lines l join deposit_slips s on s.id = l.slip_id where l.decided_reason is not null;
grant select on report_counter_slip_decisions to gatehouse_app, gatehouse_read;
