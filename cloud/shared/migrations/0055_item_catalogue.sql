-- The rest of a fee item (F-02): its ledger mapping for vouchers, and its name as a changeable thing of headquarters alone.
alter table fee_items
    add account_key text check (account_key ~ '^[A-Za-z0-9_.:-]{1,40}$'),
    add updated_at timestamptz,
    add updated_by text;
comment on column fee_items.account_key is 'which account of the accounting software its vouchers are written to; the code where none is given';
grant update (account_key, updated_at, updated_by) on fee_items to gatehouse_app;
