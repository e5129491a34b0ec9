-- What a lease says beside its standards: deposit in months of rent, rent-free spans (F-15).
alter table fee_contracts
    add deposit_months numeric(6, 2) check (deposit_months > 0 and deposit_months <= 60),
    add rent_free jsonb not null default '[]';
comment on column fee_contracts.rent_free is 'spans [first, day after the last] that are not charged (Q-29)';
create index fee_contracts_ending on fee_contracts (project_id, to_day);
