-- A daily close is signed with a key that no database can read (C-34, DESIGN 3); cash in transit changes hands (C-37).

alter table day_closes add signed text check (signed ~ '^gatehouse heads 1\n' and length(signed) < 4000);
comment on column day_closes.signed is 'the signed text of the close, whole (cloud/ledger/domain_witness.py); null: closed before closes were signed';
