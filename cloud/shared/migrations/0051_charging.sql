-- What a charge line owes as of a day, and what happened to it: payments, reversals, waivers, disputes, adjustments (Q-50 .. Q-68, F-10).

alter table fee_items
    add tax_rate numeric(6, 4) check (tax_rate >= 0 and tax_rate < 1),
    add tax_code text check (length(tax_code) <= 40),
    add invoice_name text check (length(invoice_name) <= 60),
    add refundable boolean not null default false,
    add shown_to_owner boolean not null default true,
    add wallet_purpose text not null default 'general'
        check (wallet_purpose in ('general', 'property', 'water', 'electricity', 'heating', 'parking'));
comment on column fee_items.wallet_purpose is 'which purpose wallet may pay its lines, before the general one (Q-65)';
grant update (tax_rate, tax_code, invoice_name, refundable, shown_to_owner, wallet_purpose) on fee_items to gatehouse_app;

alter table charge_lines
    add late_paid_fen bigint not null default 0,
    add late_policy jsonb,
    add assignment_id int,
    add version_id int,
    add inputs jsonb,
    add steps text[] not null default '{}',
    add published_at timestamptz;
comment on column charge_lines.late_fee_fen is 'late fee demanded so far: what was paid of it, and what stood open when money last came (Q-54)';
comment on column charge_lines.inputs is 'what the calculator was given: calculating again from it gives the same lines for ever (DESIGN 3)';
update charge_lines set late_paid_fen = greatest(paid_fen - (amount_fen - discount_fen), 0) where amount_fen > 0;
update charge_lines set published_at = created_at;
alter table charge_lines add constraint charge_lines_late_paid check (late_paid_fen between 0 and late_fee_fen);
create index charge_lines_due on charge_lines (project_id, due_date) include (amount_fen, paid_fen) where status in ('open', 'part');
create index charge_lines_object on charge_lines (project_id, item_id, object, period_to);
grant update (late_fee_fen, late_paid_fen, discount_fen, published_at) on charge_lines to gatehouse_app;

-- Every amount that settled a line, and its taking back, by business date. Append-only: a reversal is a row that names another.
create table charge_payments (
    id bigint generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    line_id bigint not null references charge_lines (id),
    day date not null,
    kind text not null check (kind in ('payment', 'discount', 'waiver', 'reversal')),
    principal_fen bigint not null,
    late_fee_fen bigint not null,
    source text not null check (length(source) between 1 and 200),
    reverses bigint unique references charge_payments (id),
    check ((reverses is null) = (kind <> 'reversal'))
);
comment on column charge_payments.source is 'the source of the ledger entry that moved the money';
create index charge_payments_line on charge_payments (line_id);
create index charge_payments_source on charge_payments (project_id, source);

-- A line in dispute bears no late fee from the day of the flag while it stands (A-08).
create table charge_disputes (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    line_id bigint not null references charge_lines (id),
    from_day date not null,
    to_day date check (to_day > from_day),
    reason text not null check (length(reason) between 2 and 200),
    by text not null,
    at timestamptz not null
);
create unique index charge_disputes_one on charge_disputes (line_id) where to_day is null;

-- A run that makes bills: its lines are drafts until it is published, whole.
create table billing_runs (
    batch bigint primary key,
    job_id bigint unique,
    company_id int not null,
    project_id int not null references projects (id),
    title text not null,
    through date not null,
    state text not null check (state in ('running', 'draft', 'published', 'dropped')),
    lines int not null default 0,
    amount_fen bigint not null default 0,
    failures jsonb not null default '[]',
    at timestamptz not null,
    by text not null,
    published_at timestamptz,
    published_by text
);

select add_company_scope(name) from unnest(array['charge_payments', 'charge_disputes', 'billing_runs']) as name;
grant select, insert on charge_payments to gatehouse_app;
grant select, insert, update (to_day) on charge_disputes to gatehouse_app;
grant select, insert, update (state, lines, amount_fen, failures, published_at, published_by) on billing_runs to gatehouse_app;
grant select on charge_payments, charge_disputes, billing_runs to gatehouse_read;
