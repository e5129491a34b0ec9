-- HQ's day over hundreds of projects in one look (DESIGN 9): what it sums lies together, by day and project, and in the index itself.

-- A tender's day and project are its receipt's; nobody writes them.
alter table receipt_tenders add project_id int, add business_date date;
update receipt_tenders t set project_id = r.project_id, business_date = r.business_date from receipts r where r.id = t.receipt_id;
alter table receipt_tenders alter project_id set not null, alter business_date set not null;
create function receipt_tender_place() returns trigger language plpgsql as $$
declare
    receipt record;
begin
    select r.project_id, r.business_date into receipt from receipts r where r.id = new.receipt_id;
    if found then
        new.project_id := receipt.project_id;
        new.business_date := receipt.business_date;
    end if;
    return new;
end $$;
create trigger receipt_tenders_place before insert on receipt_tenders for each row execute function receipt_tender_place();
alter table receipt_tenders enable always trigger receipt_tenders_place;
drop policy company_scope on receipt_tenders;
select add_company_scope('receipt_tenders');
create index receipt_tenders_day on receipt_tenders (business_date, project_id) include (company_id, method, amount_fen, line);

create view report_tenders with (security_invoker = true) as
    select company_id, project_id, business_date, receipt_id, line, method as tender, amount_fen from receipt_tenders;
grant select on report_tenders to gatehouse_app, gatehouse_read;

-- Cash in drawers: a shift's postings from the index alone, and those of guards without looking at all cash there ever was.
drop index ledger_postings_account;
create index ledger_postings_account on ledger_postings (project_id, root, ref) include (amount_fen, company_id);
create index ledger_postings_guards on ledger_postings (project_id, ref) include (amount_fen, company_id)
    where root = 'cash_drawer' and ref like 'guard:%';

-- Rows that only come need no vacuum but for this: the index alone answers only for pages that one has seen. A few minutes' rows are
-- few enough to be looked up.
alter table receipt_tenders set (autovacuum_vacuum_insert_threshold = 5000, autovacuum_vacuum_insert_scale_factor = 0);
alter table ledger_postings set (autovacuum_vacuum_insert_threshold = 10000, autovacuum_vacuum_insert_scale_factor = 0);
