-- Lines of receipts that were refunded after the shift's close, each once (C-12, Q-67).

create table refund_lines (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    refund_id bigint not null references refunds (id),
    receipt_id bigint not null references receipts (id),
    line smallint not null,
    amount_fen bigint not null,
    at timestamptz not null,
    unique (receipt_id, line)
);
comment on table refund_lines is 'why the money goes back stands in the approval of the refund';

select add_company_scope('refund_lines');
grant select, insert on refund_lines to gatehouse_app;
grant select on refund_lines to gatehouse_read;
create trigger refund_lines_append_only before update or delete or truncate on refund_lines
    for each statement execute function ledger_refuse_change();
