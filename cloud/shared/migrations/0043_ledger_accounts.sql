-- Accounts of the money parts, and of what kind each is: what an answer about it means and which way its sum runs.

alter table ledger_accounts add kind text;
insert into ledger_accounts (code, name, kind) values
    ('discount', '折扣', 'expense'), ('bad_debt', '坏账损失', 'expense'), ('provider_fee', '支付手续费', 'expense'),
    ('opening', '期初余额', 'equity');
update ledger_accounts set kind = case
    when code in ('receivable', 'cash_drawer', 'cash_in_transit', 'bank', 'provider_clearing') then 'asset'
    when code in ('prepayment', 'deposit', 'agency', 'suspense') then 'liability'
    when code in ('revenue', 'late_fee') then 'income'
    when code in ('waiver', 'over_short') then 'expense' else kind end;
update ledger_accounts set name = '违约金收入' where code = 'late_fee';
alter table ledger_accounts alter kind set not null,
    add check (kind in ('asset', 'liability', 'income', 'expense', 'equity'));
