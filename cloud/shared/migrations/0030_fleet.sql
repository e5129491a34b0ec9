-- Boxes: who they are, what they said, where each stream stands (L-32, B-01 .. B-08, DESIGN 2).

create table boxes (
    id text primary key check (id ~ '^[a-z0-9][a-z0-9-]{2,39}$'),
    company_id int not null,
    project_id int not null references projects (id),
    registered_at timestamptz not null,
    registered_by text not null,
    claimed_at timestamptz,
    serial text,
    certificate_until timestamptz,
    quarantined_at timestamptz,
    quarantine_reason text,
    constraint boxes_quarantine check ((quarantined_at is null) = (quarantine_reason is null))
);
create index boxes_project on boxes (project_id);
comment on column boxes.serial is 'Serial number of the only certificate that still speaks for this box, hex';

-- One-time claim codes: what a code is found by and the key derived from it, never the code (B-01).
create table box_codes (
    lookup text primary key check (lookup ~ '^[0-9a-f]{16}$'),
    box text not null references boxes (id),
    company_id int not null,
    project_id int not null,
    secret bytea not null check (length(secret) = 32),
    expires_at timestamptz not null,
    used_at timestamptz
);

-- Written about every 5 s a box, so it stands alone and leaves room in its pages for updates in place.
create table box_sessions (
    box text primary key references boxes (id),
    company_id int not null,
    project_id int not null,
    last_seen timestamptz not null,
    nonce text not null,
    boot text not null,
    clock text not null,
    broker text not null,
    health jsonb not null
) with (fillfactor = 50);

-- The row that a batch locks; `epoch` is the current one.
create table box_streams (
    box text not null references boxes (id),
    stream text not null check (stream in ('money', 'series')),
    company_id int not null,
    project_id int not null,
    epoch text,
    primary key (box, stream)
);

create table box_epochs (
    box text not null,
    stream text not null,
    epoch text not null check (epoch ~ '^[0-9a-f]{16}$'),
    company_id int not null,
    project_id int not null,
    opened_at timestamptz not null,
    last_at timestamptz not null,
    seq bigint not null check (seq > 0),
    hash bytea not null check (length(hash) = 32),
    primary key (box, stream, epoch),
    foreign key (box, stream) references box_streams (box, stream)
);
comment on table box_epochs is 'The last event stored of every epoch a box ever had';

-- Every event as the box made it, for good.
create table box_events (
    box text not null,
    stream text not null,
    epoch text not null,
    seq bigint not null check (seq > 0),
    company_id int not null,
    project_id int not null,
    kind text not null,
    received_at timestamptz not null,
    hash bytea not null check (length(hash) = 32),
    raw text not null,
    primary key (box, stream, epoch, seq)
);
create index box_events_received on box_events using brin (received_at);

-- What a slice refused: acknowledged, not lost, waiting for a person.
create table box_refused (
    id bigint generated always as identity primary key,
    box text not null,
    stream text not null,
    epoch text not null,
    seq bigint not null,
    company_id int not null,
    project_id int not null,
    kind text not null,
    received_at timestamptz not null,
    code text not null,
    zh text not null,
    en text not null,
    field text,
    amount_fen bigint,
    suspended boolean not null,
    unique (box, stream, epoch, seq),
    foreign key (box, stream, epoch, seq) references box_events (box, stream, epoch, seq)
);
comment on column box_refused.suspended is 'Its money was posted to suspense in the same transaction (DESIGN 2.4)';

create table box_notes (
    id bigint generated always as identity primary key,
    box text not null references boxes (id),
    company_id int not null,
    project_id int not null,
    at timestamptz not null,
    what text not null check (what ~ '^[a-z_]+$'),
    detail jsonb not null
);
create index box_notes_box on box_notes (box, id);

-- Messages that were no events at all; box '?' for names nobody registered.
create table box_bad_messages (
    box text not null,
    code text not null,
    company_id int,
    project_id int,
    count bigint not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    sample bytea not null check (length(sample) <= 256),
    primary key (box, code)
);

create table box_documents (
    box text not null references boxes (id),
    name text not null check (name ~ '^[a-z]+$'),
    n bigint not null check (n > 0),
    company_id int not null,
    project_id int not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    body bytea not null,
    valid_from timestamptz not null,
    primary key (box, name, n)
);
create index box_documents_sha256 on box_documents (box, sha256);

-- n: of the newest manifest; the applied_ columns are what the box says it switched to.
create table box_manifests (
    box text primary key references boxes (id),
    company_id int not null,
    project_id int not null,
    n bigint not null default 0,
    applied_generation int,
    applied_n bigint,
    applied_at timestamptz
);

-- Rises only when a hub was restored from a backup (L-37).
create table fleet_generation (
    only_row boolean primary key default true check (only_row),
    generation int not null check (generation > 0)
);
insert into fleet_generation (generation) values (1);
grant select on fleet_generation to gatehouse_app, gatehouse_read;

create table box_commands (
    id text primary key,
    box text not null references boxes (id),
    company_id int not null,
    project_id int not null,
    name text not null,
    args jsonb not null,
    by text not null,
    nonce text not null,
    sent_at timestamptz not null,
    outcome text,
    detail text,
    done_at timestamptz
);
create index box_commands_box on box_commands (box, sent_at desc);

-- Files lie on disk by hash; a row says which box sent one, and so who may see it.
create table box_pictures (
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    box text not null references boxes (id),
    company_id int not null,
    project_id int not null,
    size int not null check (size > 0),
    media text not null,
    at timestamptz not null,
    primary key (sha256, box)
);

select add_company_scope(name) from unnest(array[
    'boxes', 'box_codes', 'box_sessions', 'box_streams', 'box_epochs', 'box_events', 'box_refused', 'box_notes',
    'box_documents', 'box_manifests', 'box_commands', 'box_pictures']) as name;
select add_company_scope('box_bad_messages');
create policy nobodys on box_bad_messages using (company_id is null);

grant select, insert on box_events, box_refused, box_notes, box_documents, box_pictures to gatehouse_app;
grant select, insert, update (claimed_at, serial, certificate_until, quarantined_at, quarantine_reason) on boxes to gatehouse_app;
grant select, insert, update (used_at) on box_codes to gatehouse_app;
grant select, insert, update on box_sessions to gatehouse_app;
grant select, insert, update (epoch) on box_streams to gatehouse_app;
grant select, insert, update (last_at, seq, hash) on box_epochs to gatehouse_app;
grant select, insert, update (n, applied_generation, applied_n, applied_at) on box_manifests to gatehouse_app;
grant select, insert, update (outcome, detail, done_at) on box_commands to gatehouse_app;
grant select on box_bad_messages to gatehouse_app;
grant select on boxes, box_sessions, box_streams, box_epochs, box_refused, box_notes, box_manifests, box_commands to gatehouse_read;

-- Privileges already forbid it to the hub; this stops the owner's role too.
create function fleet_refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'events are append-only: % on %', tg_op, tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger box_events_append_only before update or delete or truncate on box_events
    for each statement execute function fleet_refuse_change();
