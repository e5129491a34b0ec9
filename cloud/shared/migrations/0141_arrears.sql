-- Arrears as of any day (A-01): what a bill owed then is what it owes now and what was settled after that day, read by this index alone.

create index charge_payments_day on charge_payments (project_id, day) include (line_id, principal_fen, company_id);
create index ledger_entries_handed_over on ledger_entries (project_id, business_date) where kind = 'owner_transfer';

-- What somebody said or heard: a call, a visit, a letter (A-03 last contact). Never changed.
create table arrears_contacts (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    owner_id int references owners (id),
    room_id int references rooms (id),
    way text not null check (way in ('call', 'visit', 'wechat', 'sms', 'letter', 'other')),
    note text not null check (length(note) between 1 and 200),
    key text check (length(key) between 8 and 80),
    at timestamptz not null,
    by text not null,
    by_name text not null,
    unique (project_id, key)
);
create index arrears_contacts_owner on arrears_contacts (project_id, owner_id, at desc);
select add_company_scope('arrears_contacts');
grant select, insert, update (note) on arrears_contacts to gatehouse_app;

insert into role_permissions (role, permission)
select role, permission
from (values
    ('arrears.read', '{hq_finance,hq_auditor,sub_manager,project_manager}'),
    ('arrears.write', '{project_manager}')
) as matrix (permission, roles), unnest(matrix.roles::text[]) as role;

-- Every contact about money with an owner: what staff wrote down, and messages that went out.
create view report_arrears_contacts with (security_invoker = true) as
    select company_id, project_id, owner_id, at, way, note, by_name from arrears_contacts where owner_id is not null
    union all
    select company_id, project_id, owner_id, sent_at, channel, left(coalesce(sent_text, text), 60), '系统' from messages
        where money and state = 'sent' and owner_id is not null and project_id is not null and sent_at is not null;
grant select on report_arrears_contacts to gatehouse_app;
