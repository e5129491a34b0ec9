-- Messages to owners and to people of the house (W-01 .. W-05, G-10): what was said to whom, why, and whether it went out.

create table messages (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int references projects (id),
    kind text not null check (kind ~ '^[a-z_]+(\.[a-z_]+)?$'),
    money boolean not null,
    who text not null check (who ~ '^(owner|user|phone):'),
    owner_id int references owners (id),
    user_id int references users (id),
    name text not null check (length(name) <= 80),
    phone text not null default '' check (length(phone) <= 20),
    channel text not null check (channel in ('sms', 'wechat', 'app', 'mail', 'call', 'print')),
    subject text not null check (length(subject) between 1 and 120),
    text text not null check (length(text) between 1 and 1000),
    reason text not null default '' check (length(reason) <= 200),
    computed text[] not null default '{}',
    key text not null check (length(key) between 1 and 160),
    not_before timestamptz not null,
    next_at timestamptz not null,
    state text not null default 'waiting'
        check (state in ('waiting', 'sending', 'sent', 'merged', 'cancelled', 'failed', 'unknown', 'unreachable')),
    tries int not null default 0,
    checked_at timestamptz,
    sent_at timestamptz,
    sent_text text,
    reference text not null default '',
    note text not null default '' check (length(note) <= 300),
    merged_into bigint references messages (id),
    false_at timestamptz,
    false_by text,
    false_note text check (length(false_note) between 2 and 200),
    unique (company_id, key),
    check ((state = 'merged') = (merged_into is not null)),
    check ((false_at is null) = (false_note is null))
);
comment on column messages.money is 'asks for money: one a day, owner and project at most, several become one (W-02)';
comment on column messages.computed is 'how the reason was found, sentence by sentence (W-05)';
comment on column messages.false_note is 'why somebody says it should not have been sent (W-05)';
create index messages_due on messages (next_at, id) where state = 'waiting';
create index messages_stuck on messages (next_at) where state = 'sending';
create index messages_who on messages (project_id, who) where state = 'waiting' and money;
create index messages_list on messages (project_id, id desc);
create index messages_owner on messages (owner_id, id desc);

-- The day on which somebody got their one message about money: the database itself refuses a second (W-02).
create table message_days (
    company_id int not null,
    project_id int not null,
    who text not null,
    day date not null,
    message_id bigint not null references messages (id),
    primary key (project_id, who, day)
);

select add_company_scope(name) from unnest(array['messages', 'message_days']) as name;
grant select, insert, update (name, phone, text, computed, next_at, state, tries, checked_at, sent_at, sent_text, reference, note,
    merged_into, false_at, false_by, false_note) on messages to gatehouse_app;
grant select, insert on message_days to gatehouse_app;
grant select on message_days to gatehouse_read;

create view report_messages with (security_invoker = true) as
    select id as message_id, company_id, project_id, kind, money, channel, owner_id, state, not_before, sent_at, false_at is not null as is_false
    from messages;
grant select on report_messages to gatehouse_app;

insert into role_permissions (role, permission)
select role, permission
from (values
    ('notice.read', '{hq_finance,hq_auditor,sub_manager,project_manager}'),
    ('notice.write', '{project_manager}')
) as matrix (permission, roles), unnest(matrix.roles::text[]) as role;
