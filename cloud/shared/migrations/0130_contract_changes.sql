-- Leases end before their day and are renewed (F-15): by a second person, with what that gives back.

insert into approval_kinds (position, code, name, request, approvers, family, window_days) values
    (20, 'contract.end', '提前解约', 'standard.write', '{sub_manager,hq_finance}', 'contract', null);
insert into approval_tiers (kind, version, up_to_fen, roles, second_roles, set_at, set_by)
select kind, 1, up_to, roles::text[], null, '2026-01-01 00:00+08', 'system'
from (values
    ('contract.end', 2000000, '{sub_manager,hq_finance}'),
    ('contract.end', null, '{hq_finance}')
) as tier (kind, up_to, roles);

alter table fee_contracts
    add ends_day date check (ends_day > from_day and ends_day < to_day),
    add ended_reason text not null default '' check (length(ended_reason) <= 500),
    add end_approval bigint references approvals (id),
    add renews int unique references fee_contracts (id),
    add check ((ends_day is null) = (end_approval is null));
comment on column fee_contracts.ends_day is 'the day after its last one where it ended early; null: as agreed, to_day';
comment on column fee_contracts.renews is 'the lease that this one goes on from';
grant update (ends_day, ended_reason, end_approval) on fee_contracts to gatehouse_app;
