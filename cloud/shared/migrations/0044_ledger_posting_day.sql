-- A posting's day is its entry's also where rows are loaded past the triggers (as with receipt_tenders, 0092).
alter table ledger_postings enable always trigger ledger_postings_day;
