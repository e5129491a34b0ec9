-- The ledger: double entry, append-only, hash-chained per project (DESIGN 3). cloud/ledger/domain.py documents the hashed text.

create table ledger_accounts (
    code text primary key check (code ~ '^[a-z_]+$'),
    name text not null
);
insert into ledger_accounts (code, name) values
    ('receivable', '应收账款'), ('cash_drawer', '抽屉现金'), ('cash_in_transit', '在途现金'), ('bank', '银行存款'),
    ('provider_clearing', '支付渠道待结算'), ('prepayment', '预收款'), ('deposit', '押金'), ('revenue', '收入'),
    ('agency', '代收代付'), ('late_fee', '违约金'), ('waiver', '减免'), ('over_short', '长短款'), ('suspense', '待查');
grant select on ledger_accounts to gatehouse_app, gatehouse_read;

create table ledger_heads (
    project_id int primary key references projects (id),
    company_id int not null,
    seq bigint not null default 0,
    hash bytea not null default decode(repeat('00', 32), 'hex') check (length(hash) = 32)
);

create table ledger_entries (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    seq bigint not null check (seq > 0),
    kind text not null check (kind ~ '^[a-z][a-z_]*$'),
    source text not null check (source !~ '[[:cntrl:]]' and length(source) between 1 and 200),
    asked bytea not null,
    booked_at timestamptz not null,
    arrived_at timestamptz not null,
    business_date date not null,
    reverses bigint unique references ledger_entries (id),
    body text not null check (body !~ '[[:cntrl:]]'),
    content bytea not null check (length(content) = 32),
    prev bytea not null check (length(prev) = 32),
    hash bytea not null check (length(hash) = 32),
    unique (project_id, seq),
    unique (project_id, source)
);
comment on column ledger_entries.asked is 'SHA-256 of what the caller asked for: the same source with other content is a conflict';
comment on column ledger_entries.content is 'SHA-256 of the canonical text of the entry with its postings';

create table ledger_postings (
    entry_id bigint not null references ledger_entries (id),
    line smallint not null check (line > 0),
    company_id int not null,
    project_id int not null,
    account text not null check (account ~ '^[a-z_]+(:[a-z0-9_.-]{1,40})?$'),
    root text not null generated always as (split_part(account, ':', 1)) stored references ledger_accounts (code),
    amount_fen bigint not null check (amount_fen <> 0),
    ref text check (ref !~ '[[:cntrl:]]'),
    primary key (entry_id, line)
);
create index ledger_postings_account on ledger_postings (project_id, root, ref) include (amount_fen);

create table ledger_personal (
    entry_id bigint not null references ledger_entries (id),
    field text not null,
    company_id int not null,
    subject text,
    salt bytea not null check (length(salt) >= 16),
    value text not null,
    primary key (entry_id, field)
);
create index ledger_personal_subject on ledger_personal (company_id, subject);
comment on table ledger_personal is 'Personal fields of entries; the chain holds SHA-256(salt || value) only, so rows here may be erased (O-10, Y-13)';

select add_company_scope('ledger_heads');
select add_company_scope('ledger_entries');
select add_company_scope('ledger_postings');
select add_company_scope('ledger_personal');

grant select, insert on ledger_entries, ledger_postings to gatehouse_app;
grant select, insert, delete on ledger_personal to gatehouse_app;
grant select, insert, update (seq, hash) on ledger_heads to gatehouse_app;
grant select on ledger_entries, ledger_postings, ledger_heads to gatehouse_read;

-- Debits equal credits, checked when the transaction ends, whoever wrote the rows (N-01).
create function ledger_check_balance() returns trigger language plpgsql as $$
declare
    entry bigint := case when tg_table_name = 'ledger_entries' then (to_jsonb(new) ->> 'id')::bigint
                         else (to_jsonb(new) ->> 'entry_id')::bigint end;
    total numeric;
    lines int;
begin
    select coalesce(sum(amount_fen), 0), count(*) into total, lines from ledger_postings where entry_id = entry;
    if total <> 0 or lines < 2 then
        raise exception 'ledger entry % does not balance: % postings, % fen', entry, lines, total
            using errcode = 'check_violation', constraint = 'ledger_balanced';
    end if;
    return null;
end $$;
create constraint trigger ledger_entry_balanced after insert on ledger_entries
    deferrable initially deferred for each row execute function ledger_check_balance();
create constraint trigger ledger_posting_balanced after insert on ledger_postings
    deferrable initially deferred for each row execute function ledger_check_balance();

-- Privileges already forbid it to the hub; this stops the owner's role too.
create function ledger_refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is append-only: % on %', tg_op, tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger ledger_entries_append_only before update or delete or truncate on ledger_entries
    for each statement execute function ledger_refuse_change();
create trigger ledger_postings_append_only before update or delete or truncate on ledger_postings
    for each statement execute function ledger_refuse_change();

create function ledger_utc(instant timestamptz) returns text language sql immutable as $$
    select to_char(instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

-- Locks the project's chain head. No row: the project is not in scope.
create function ledger_lock_head(p_project int) returns setof ledger_heads language plpgsql as $$
begin
    return query select * from ledger_heads where project_id = p_project for update;
    if not found then
        insert into ledger_heads (project_id, company_id)
            select id, company_id from projects where id = p_project on conflict do nothing;
        return query select * from ledger_heads where project_id = p_project for update;
    end if;
end $$;

-- Posts one entry in one round trip. Outcome: posted, repeated (the first entry comes back), conflict, no_project, no_original.
create function ledger_post(
    p_project int, p_kind text, p_source text, p_asked bytea, p_booked timestamptz, p_arrived timestamptz, p_business date,
    p_reverses bigint, p_body text, p_accounts text[], p_amounts bigint[], p_refs text[],
    p_subject text, p_fields text[], p_salts bytea[], p_values text[]
) returns table (outcome text, entry_id bigint, entry_seq bigint, entry_hash bytea) language plpgsql as $$
declare
    head ledger_heads;
    known ledger_entries;
    original bigint;
    v_content bytea;
    v_hash bytea;
    v_id bigint;
begin
    select * into head from ledger_lock_head(p_project);
    if head.project_id is null then
        return query select 'no_project', null::bigint, null::bigint, null::bytea;
        return;
    end if;
    select * into known from ledger_entries e where e.project_id = p_project and e.source = p_source;
    if known.id is not null then
        return query select case when known.asked = p_asked then 'repeated' else 'conflict' end, known.id, known.seq, known.hash;
        return;
    end if;
    if p_reverses is not null then
        select e.seq into original from ledger_entries e where e.id = p_reverses and e.project_id = p_project;
        if original is null then
            return query select 'no_original', null::bigint, null::bigint, null::bytea;
            return;
        end if;
    end if;
    select sha256(convert_to(
            'gatehouse entry 1' || E'\nkind ' || p_kind || E'\nsource ' || p_source || E'\nbooked ' || ledger_utc(p_booked)
            || E'\nbusiness ' || to_char(p_business, 'YYYY-MM-DD') || E'\nreverses ' || coalesce(original::text, '-')
            || E'\nbody ' || p_body
            || string_agg(E'\nposting ' || line || ' ' || account || ' ' || amount || ' ' || coalesce(ref, '-'), '' order by line),
            'UTF8'))
        into v_content
        from unnest(p_accounts, p_amounts, p_refs) with ordinality as posting (account, amount, ref, line);
    v_hash := sha256(convert_to(
        E'gatehouse chain 1\nproject ' || p_project || E'\nseq ' || head.seq + 1 || E'\narrived ' || ledger_utc(p_arrived)
        || E'\nprev ' || encode(head.hash, 'hex') || E'\ncontent ' || encode(v_content, 'hex'), 'UTF8'));
    insert into ledger_entries (company_id, project_id, seq, kind, source, asked, booked_at, arrived_at, business_date, reverses,
                                body, content, prev, hash)
        values (head.company_id, p_project, head.seq + 1, p_kind, p_source, p_asked, p_booked, p_arrived, p_business, p_reverses,
                p_body, v_content, head.hash, v_hash)
        returning id into v_id;
    insert into ledger_postings (entry_id, line, company_id, project_id, account, amount_fen, ref)
        select v_id, line, head.company_id, p_project, account, amount, ref
        from unnest(p_accounts, p_amounts, p_refs) with ordinality as posting (account, amount, ref, line);
    if cardinality(p_fields) > 0 then
        insert into ledger_personal (entry_id, field, company_id, subject, salt, value)
            select v_id, field, head.company_id, p_subject, salt, value
            from unnest(p_fields, p_salts, p_values) as personal (field, salt, value);
    end if;
    update ledger_heads set seq = head.seq + 1, hash = v_hash where project_id = p_project;
    return query select 'posted', v_id, head.seq + 1, v_hash;
end $$;
