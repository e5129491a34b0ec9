-- Balances by day, closed days, and events that come after their day was closed (C-34, C-38, A-01, V-09).

-- What each account of a project moved by on a business day: sums of ledger_postings and nothing else. The posting function keeps
-- them under the lock of the project's chain, so no row here is fought for; ledger_rebuild_days makes them anew, verify compares.
create table ledger_days (
    project_id int not null references projects (id),
    day date not null,
    account text not null,
    company_id int not null,
    debit_fen bigint not null check (debit_fen >= 0),
    credit_fen bigint not null check (credit_fen >= 0),
    primary key (project_id, day, account)
) with (fillfactor = 60, autovacuum_vacuum_insert_threshold = 5000, autovacuum_vacuum_scale_factor = 0.02);
select add_company_scope('ledger_days');
grant select, insert, update, delete on ledger_days to gatehouse_app;
grant select on ledger_days to gatehouse_read;

-- Closed days and months. Closing a day closes every day before it too; `day` of a month is its last.
create table ledger_periods (
    project_id int not null references projects (id),
    kind text not null check (kind in ('day', 'month')),
    day date not null,
    company_id int not null,
    closed_at timestamptz not null,
    closed_by text not null check (length(closed_by) between 1 and 40),
    seq bigint not null check (seq >= 0),
    hash bytea not null check (length(hash) = 32),
    primary key (project_id, kind, day)
);
comment on table ledger_periods is 'seq and hash: the head of the chain when the period was closed (0: nothing was posted yet)';
select add_company_scope('ledger_periods');
grant select, insert on ledger_periods to gatehouse_app;
grant select on ledger_periods to gatehouse_read;

-- A posting's day stands beside its amount, so that balances by reference as of a day come from the index alone (0096).
alter table ledger_postings add business_date date;
alter table ledger_postings disable trigger ledger_postings_append_only;
update ledger_postings p set business_date = e.business_date from ledger_entries e where e.id = p.entry_id;
alter table ledger_postings enable trigger ledger_postings_append_only;
alter table ledger_postings alter business_date set not null;
create function ledger_posting_day() returns trigger language plpgsql as $$
begin
    select e.business_date into new.business_date from ledger_entries e where e.id = new.entry_id;
    return new;
end $$;
create trigger ledger_postings_day before insert on ledger_postings
    for each row when (new.business_date is null) execute function ledger_posting_day();

-- Entries that came after their day was over: what an answer about a past day has to mention.
create index ledger_entries_late on ledger_entries (project_id, arrived_at, business_date)
    where business_date < ((arrived_at at time zone 'Asia/Shanghai')::date);

insert into ledger_days (project_id, day, account, company_id, debit_fen, credit_fen)
    select project_id, business_date, account, company_id, coalesce(sum(amount_fen) filter (where amount_fen > 0), 0),
           coalesce(-sum(amount_fen) filter (where amount_fen < 0), 0)
    from ledger_postings group by project_id, business_date, account, company_id;

create view report_ledger_days with (security_invoker = true) as
    select company_id, project_id, day, account, split_part(account, ':', 1) as root, debit_fen, credit_fen,
           debit_fen - credit_fen as amount_fen
    from ledger_days;
create view report_closed_periods with (security_invoker = true) as
    select company_id, project_id, kind, day, closed_at, closed_by, seq from ledger_periods;
grant select on report_ledger_days, report_closed_periods to gatehouse_app, gatehouse_read;

-- As in 0040, and: an entry into a closed day is refused (outcome day_closed) or, where it could not come earlier (p_late), takes
-- the first open day and says in its facts which day it relates to. `entry_day` is the day it was posted to.
drop function ledger_post;
create function ledger_post(
    p_project int, p_kind text, p_source text, p_asked bytea, p_booked timestamptz, p_arrived timestamptz, p_business date,
    p_reverses bigint, p_body text, p_accounts text[], p_amounts bigint[], p_refs text[],
    p_subject text, p_fields text[], p_salts bytea[], p_values text[], p_late boolean default false
) returns table (outcome text, entry_id bigint, entry_seq bigint, entry_hash bytea, entry_day date) language plpgsql as $$
declare
    head ledger_heads;
    known ledger_entries;
    original bigint;
    closed date;
    v_day date := p_business;
    v_body text := p_body;
    v_content bytea;
    v_hash bytea;
    v_id bigint;
begin
    select * into head from ledger_lock_head(p_project);
    if head.project_id is null then
        return query select 'no_project', null::bigint, null::bigint, null::bytea, null::date;
        return;
    end if;
    select * into known from ledger_entries e where e.project_id = p_project and e.source = p_source;
    if known.id is not null then
        return query select case when known.asked = p_asked then 'repeated' else 'conflict' end, known.id, known.seq, known.hash,
                            known.business_date;
        return;
    end if;
    if p_reverses is not null then
        select e.seq into original from ledger_entries e where e.id = p_reverses and e.project_id = p_project;
        if original is null then
            return query select 'no_original', null::bigint, null::bigint, null::bytea, null::date;
            return;
        end if;
    end if;
    select max(p.day) into closed from ledger_periods p where p.project_id = p_project and p.kind = 'day';
    if p_business <= closed then
        if not p_late then
            return query select 'day_closed', null::bigint, null::bigint, null::bytea, closed;
            return;
        end if;
        v_day := closed + 1;
        v_body := '{"relating_to":"' || to_char(p_business, 'YYYY-MM-DD') || '"'
                  || case when p_body = '{}' then '}' else ',' || substr(p_body, 2) end;
    end if;
    select sha256(convert_to(
            'gatehouse entry 1' || E'\nkind ' || p_kind || E'\nsource ' || p_source || E'\nbooked ' || ledger_utc(p_booked)
            || E'\nbusiness ' || to_char(v_day, 'YYYY-MM-DD') || E'\nreverses ' || coalesce(original::text, '-')
            || E'\nbody ' || v_body
            || string_agg(E'\nposting ' || line || ' ' || account || ' ' || amount || ' ' || coalesce(ref, '-'), '' order by line),
            'UTF8'))
        into v_content
        from unnest(p_accounts, p_amounts, p_refs) with ordinality as posting (account, amount, ref, line);
    v_hash := sha256(convert_to(
        E'gatehouse chain 1\nproject ' || p_project || E'\nseq ' || head.seq + 1 || E'\narrived ' || ledger_utc(p_arrived)
        || E'\nprev ' || encode(head.hash, 'hex') || E'\ncontent ' || encode(v_content, 'hex'), 'UTF8'));
    insert into ledger_entries (company_id, project_id, seq, kind, source, asked, booked_at, arrived_at, business_date, reverses,
                                body, content, prev, hash)
        values (head.company_id, p_project, head.seq + 1, p_kind, p_source, p_asked, p_booked, p_arrived, v_day, p_reverses,
                v_body, v_content, head.hash, v_hash)
        returning id into v_id;
    insert into ledger_postings (entry_id, line, company_id, project_id, account, amount_fen, ref, business_date)
        select v_id, line, head.company_id, p_project, account, amount, ref, v_day
        from unnest(p_accounts, p_amounts, p_refs) with ordinality as posting (account, amount, ref, line);
    insert into ledger_days as d (project_id, day, account, company_id, debit_fen, credit_fen)
        select p_project, v_day, account, head.company_id, sum(greatest(amount, 0)), sum(greatest(-amount, 0))
        from unnest(p_accounts, p_amounts) as posting (account, amount) group by account
        on conflict (project_id, day, account) do update
            set debit_fen = d.debit_fen + excluded.debit_fen, credit_fen = d.credit_fen + excluded.credit_fen;
    if cardinality(p_fields) > 0 then
        insert into ledger_personal (entry_id, field, company_id, subject, salt, value)
            select v_id, field, head.company_id, p_subject, salt, value
            from unnest(p_fields, p_salts, p_values) as personal (field, salt, value);
    end if;
    update ledger_heads set seq = head.seq + 1, hash = v_hash where project_id = p_project;
    return query select 'posted', v_id, head.seq + 1, v_hash, v_day;
end $$;

-- Closes a day (C-34). Locks the chain: who is posting comes before, who comes later finds the day closed. Outcome: closed,
-- no_project, already_closed (with the last closed day), earlier_open (with the first day before it that has entries and is still
-- open: an earlier day is closed first).
create function ledger_close_day(p_project int, p_day date, p_at timestamptz, p_by text)
    returns table (outcome text, head_seq bigint, head_hash bytea, found_day date) language plpgsql as $$
declare
    head ledger_heads;
    closed date;
    earlier date;
begin
    select * into head from ledger_lock_head(p_project);
    if head.project_id is null then
        return query select 'no_project', null::bigint, null::bytea, null::date;
        return;
    end if;
    select max(p.day) into closed from ledger_periods p where p.project_id = p_project and p.kind = 'day';
    if p_day <= closed then
        return query select 'already_closed', null::bigint, null::bytea, closed;
        return;
    end if;
    select min(d.day) into earlier from ledger_days d
        where d.project_id = p_project and d.day < p_day and (closed is null or d.day > closed);
    if earlier is not null then
        return query select 'earlier_open', null::bigint, null::bytea, earlier;
        return;
    end if;
    insert into ledger_periods (project_id, kind, day, company_id, closed_at, closed_by, seq, hash)
        values (p_project, 'day', p_day, head.company_id, p_at, p_by, head.seq, head.hash);
    return query select 'closed', head.seq, head.hash, p_day;
end $$;

-- Makes the day sums of a project anew from its postings; how many rows there are now.
create function ledger_rebuild_days(p_project int) returns bigint language plpgsql as $$
declare
    made bigint;
begin
    perform from ledger_lock_head(p_project);
    delete from ledger_days where project_id = p_project;
    insert into ledger_days (project_id, day, account, company_id, debit_fen, credit_fen)
        select project_id, business_date, account, company_id, coalesce(sum(amount_fen) filter (where amount_fen > 0), 0),
               coalesce(-sum(amount_fen) filter (where amount_fen < 0), 0)
        from ledger_postings where project_id = p_project group by project_id, business_date, account, company_id;
    get diagnostics made = row_count;
    return made;
end $$;
