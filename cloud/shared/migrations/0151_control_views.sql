-- What controls read of other slices (DESIGN 1): each view is named for the slice whose rows it shows.

-- The audit log as it is; before and after are the canonical JSON of the log, '-' for nothing.
create view report_access_control_audit with (security_invoker = true) as
    select a.id, a.company_id, a.project_id, a.chain, a.at, a.user_id, a.number, a.action, a.object, a.place, a.before, a.after, a.reason
    from audit_log a;
create view report_access_control_audit_checks with (security_invoker = true) as
    select company_id, project_id, chain, seq, checked_at, checked_by, fault from audit_checks;

-- Requests with the limit under which they were decided: the smallest bound of the newest tiers that holds the amount.
create view report_access_control_approvals with (security_invoker = true) as
    select a.id as approval_id, a.company_id, a.project_id, a.kind, k.name as kind_name, k.family, a.subject, a.beneficiary, a.title,
           a.amount_fen, a.cumulated_fen, a.payload, a.reason, a.requester_number, a.requester_name, a.terminal, a.requested_at, a.state,
           a.decided_number, a.decided_name, a.decided_at,
           (select min(t.up_to_fen) from approval_tiers t
            where t.kind = a.kind and t.up_to_fen >= a.cumulated_fen and t.company_id is not distinct from v.company_id
              and t.version = v.version) as limit_fen
    from approvals a join approval_kinds k on k.code = a.kind
    left join lateral (select t.company_id, t.version from approval_tiers t
                       where t.kind = a.kind and (t.company_id is null or t.company_id = a.company_id)
                       order by t.company_id nulls last, t.version desc limit 1) v on true;
-- Steps of decisions; one_terminal: given where the request was made.
create view report_access_control_decisions with (security_invoker = true) as
    select d.approval_id, d.company_id, d.project_id, d.step, a.kind, k.name as kind_name, a.subject, a.title, a.amount_fen,
           a.requester_number, a.requester_name, a.requested_at, d.by_number, d.by_name, d.approve, d.at, d.terminal,
           a.terminal as asked_terminal, d.approve and d.terminal <> '' and d.terminal = a.terminal as one_terminal
    from approval_decisions d join approvals a on a.id = d.approval_id join approval_kinds k on k.code = a.kind;
create index receipts_approval on receipts (approval_id) where approval_id is not null;
create index deposit_movements_at on deposit_movements (at);
create index audit_log_exports on audit_log (at) where action = 'export';
create index bank_lines_confirmed on bank_lines (confirmed_at) where confirmed_at is not null;
create index approval_decisions_at on approval_decisions (at);
create index approvals_decided on approvals (decided_at) where state = 'approved';

-- Receipts as controls follow them: whether the number before is there (G-02), what of it was cash, in whose room.
create index receipts_arrived on receipts using brin (arrived_at) with (pages_per_range = 16);
create view report_counter_control_numbers with (security_invoker = true) as
    select r.company_id, r.project_id, r.id as receipt_id, r.book_id, b.code as book, b.kind as book_kind, r.number, r.at, r.arrived_at,
           r.business_date, r.room_id, r.object, r.total_fen, r.cashier, r.cashier_name, r.terminal, r.reverses, r.entry_id,
           r.number <= b.first_number or exists (select from receipts p where p.book_id = r.book_id and p.number = r.number - 1) as follows
    from receipts r join receipt_books b on b.id = r.book_id;
create view report_counter_control_prints with (security_invoker = true) as
    select p.company_id, r.project_id, p.receipt_id, p.n, p.at, p.by_number, p.by_name, b.code as book, r.number, r.object, r.total_fen
    from receipt_prints p join receipts r on r.id = p.receipt_id join receipt_books b on b.id = r.book_id;
create index receipt_prints_at on receipt_prints (at);
create view report_counter_control_books with (security_invoker = true) as
    select b.company_id, b.project_id, b.id as book_id, b.code, b.kind, b.terminal, b.first_number, b.last_number, b.taken, b.state,
           b.state_at, b.returned_by, b.counted_by, b.counted_used, b.counted_note,
           (select max(r.arrived_at) from receipts r where r.book_id = b.id and r.number = b.taken) as last_at
    from receipt_books b;
-- Voids of receipts that were paid in cash, with how often the original was printed before.
create view report_counter_control_cash_voids with (security_invoker = true) as
    select r.company_id, r.project_id, r.id as receipt_id, r.at, r.arrived_at, r.terminal, r.cashier, r.cashier_name, r.reason,
           r.approval_id, o.id as original_id, o.at as original_at, o.total_fen as original_fen, o.object, o.room_id, b.code as book,
           o.number as original_number, x.code as void_book, r.number,
           (select coalesce(sum(t.amount_fen), 0) from receipt_tenders t where t.receipt_id = o.id and t.method = 'cash')::bigint as cash_fen,
           (select count(*) from receipt_prints p where p.receipt_id = o.id and p.at <= r.at) as prints,
           (select n.id from receipts n where n.replaces = o.id) as replaced_by
    from receipts r join receipts o on o.id = r.reverses join receipt_books b on b.id = o.book_id join receipt_books x on x.id = r.book_id;
create view report_counter_control_alarms with (security_invoker = true) as
    select company_id, project_id, kind, subject, at from cash_alarms;
create view report_counter_control_shifts with (security_invoker = true) as
    select company_id, project_id, id as shift_id, user_number as cashier, user_name as cashier_name, terminal, opened_at, closed_at,
           closed_by, close_reason, frozen_at
    from shifts;
-- Lines of a bank's statement beside the slip they look like or were confirmed for.
create view report_counter_control_bank_lines with (security_invoker = true) as
    select l.company_id, s.project_id, l.id as line_id, l.day, l.amount_fen, l.remark, l.serial, l.suggested, l.slip_id, t.at, l.confirmed_at,
           s.amount_fen as slip_fen, s.depositor, s.depositor_name, s.days
    from bank_lines l join bank_statements t on t.id = l.statement_id
    join deposit_slips s on s.id = coalesce(l.slip_id, l.suggested);

-- Boxes: what was noted of them, money they sent that was refused, jumps of their clocks.
create view report_fleet_control_notes with (security_invoker = true) as
    select id, company_id, project_id, box, at, what, detail from box_notes;
create view report_fleet_control_refused with (security_invoker = true) as
    select id, company_id, project_id, box, kind, received_at, code, zh, amount_fen from box_refused;
create view report_fleet_control_clock_jumps with (security_invoker = true) as
    select company_id, project_id, box, epoch, seq, received_at, raw from box_events where kind = 'clock_jump';

-- Owners by the phone that they share with others, without the phone.
create view report_estate_control_phones with (security_invoker = true) as
    select company_id, project_id, id as owner_id, encode(sha256(convert_to(phone, 'UTF8')), 'hex') as phone
    from owners where length(phone) > 6;
create view report_access_control_staff with (security_invoker = true) as
    select u.company_id, u.project_id, u.id as user_id, u.number, u.name, u.status,
           encode(sha256(convert_to(u.phone, 'UTF8')), 'hex') as phone
    from users u;
-- Who is told of alarms: headquarters' own auditors and finance.
create view report_access_control_watchers with (security_invoker = true) as
    select distinct u.company_id, u.id as user_id, u.number, u.name, u.phone
    from users u join user_roles g on g.user_id = u.id and g.company_id is null and g.role in ('hq_auditor', 'hq_finance')
    where u.status = 'active' and length(u.phone) > 6;
create view report_ledger_control_heads with (security_invoker = true) as
    select h.company_id, h.project_id, h.seq, h.hash from ledger_heads h;
create view report_ledger_control_hashes with (security_invoker = true) as
    select company_id, project_id, seq, hash, booked_at from ledger_entries;

grant select on report_access_control_audit, report_access_control_audit_checks, report_access_control_approvals, report_access_control_decisions, report_counter_control_numbers,
    report_counter_control_prints, report_counter_control_books, report_counter_control_cash_voids, report_counter_control_alarms, report_counter_control_shifts,
    report_counter_control_bank_lines, report_fleet_control_notes, report_fleet_control_refused, report_fleet_control_clock_jumps, report_estate_control_phones,
    report_access_control_staff, report_access_control_watchers, report_ledger_control_heads, report_ledger_control_hashes to gatehouse_app, gatehouse_read;

-- Who takes money and is logged in at two places at once; sessions themselves are nobody's to read (G-17). For headquarters' scope.
create function access_double_sessions(p_now timestamptz) returns table (
    user_id int, number text, name text, company_id int, project_id int, first_address text, second_address text,
    first_seen timestamptz, second_started timestamptz)
    language sql stable security definer set search_path = public, pg_temp as $$
    select distinct on (u.id) u.id, u.number, u.name, u.company_id, u.project_id, a.address, b.address, a.seen_at, b.started_at
    from sessions a join sessions b on b.user_id = a.user_id and b.started_at >= a.started_at and b.address <> a.address
    join users u on u.id = a.user_id and u.status = 'active'
    where (select current_setting('app.group', true)) = 'on'
      and a.seen_at > b.started_at and a.seen_at > p_now - interval '30 minutes' and b.seen_at > p_now - interval '30 minutes'
      and exists (select from user_roles g join role_permissions m on m.role = g.role
                  where g.user_id = u.id and m.permission in ('counter.collect', 'shift.run'))
    order by u.id, b.started_at
$$;
-- Somebody tries to log in with the number of a person who was disabled.
create function access_disabled_tries(p_since timestamptz) returns table (
    user_id int, number text, name text, company_id int, project_id int, failures int, at timestamptz)
    language sql stable security definer set search_path = public, pg_temp as $$
    select u.id, u.number, u.name, u.company_id, u.project_id, f.failures, f.last_at
    from login_failures f join users u on u.number = f.number and u.status = 'disabled'
    where (select current_setting('app.group', true)) = 'on' and f.last_at > p_since
$$;
revoke all on function access_double_sessions(timestamptz), access_disabled_tries(timestamptz) from public;
grant execute on function access_double_sessions(timestamptz), access_disabled_tries(timestamptz) to gatehouse_app;
