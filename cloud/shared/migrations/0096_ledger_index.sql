-- The ledger's index for balances by reference as of a day, after 0092 made its own.

drop index ledger_postings_account;
create index ledger_postings_account on ledger_postings (project_id, root, ref)
    include (amount_fen, company_id, business_date, account);
