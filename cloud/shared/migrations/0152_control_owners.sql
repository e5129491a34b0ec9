-- The owner's own eye (G-10): each posting, void and waiver is told to whoever pays, and who paid and sees nothing tells headquarters.

-- Said by anybody, read by the group alone. `phone`: where to call back.
create table owner_reports (
    id bigint generated always as identity primary key,
    company_id int,
    project text not null check (length(project) <= 60),
    room text not null check (length(room) between 1 and 40),
    amount_fen bigint check (amount_fen > 0),
    receipt text not null check (length(receipt) <= 40),
    phone text not null check (length(phone) between 5 and 20),
    text text not null check (length(text) between 2 and 300),
    address text not null,
    at timestamptz not null
);
comment on column owner_reports.company_id is 'always null: what an owner says belongs to headquarters, whatever project it names';
create index owner_reports_at on owner_reports (at);
select add_group_scope('owner_reports');
grant select on owner_reports to gatehouse_app;
create trigger owner_reports_append_only before update or delete or truncate on owner_reports
    for each statement execute function refuse_change();

-- Before anybody is known: one row. False when this address said five things within the hour, or all together sixty.
create function controls_owner_says(
    p_project text, p_room text, p_amount bigint, p_receipt text, p_phone text, p_text text, p_address text, p_at timestamptz
) returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtext('owner_reports'));
    if (select count(*) filter (where r.address = p_address) >= 5 or count(*) >= 60
        from owner_reports r where r.at > p_at - interval '1 hour') then
        return false;
    end if;
    insert into owner_reports (project, room, amount_fen, receipt, phone, text, address, at)
        values (p_project, p_room, p_amount, p_receipt, p_phone, p_text, p_address, p_at);
    return true;
end $$;
revoke all on function controls_owner_says(text, text, bigint, text, text, text, text, timestamptz) from public;
grant execute on function controls_owner_says(text, text, bigint, text, text, text, text, timestamptz) to gatehouse_app;

insert into setting_names (name, title, kind, high_risk, usual) values
    ('controls.area_percent', '房间面积合计与项目登记最多差百分之几', 'number', true, '2');

-- What the rooms of a project add up to, beside its register (G-04).
create view report_estate_control_areas with (security_invoker = true) as
    select p.company_id, p.id as project_id, p.managed_area, count(r.id) as rooms, coalesce(sum(r.area), 0) as area
    from projects p left join rooms r on r.project_id = p.id group by p.company_id, p.id, p.managed_area;

-- Receipts and waivers with whom they concern and where to reach them; a receipt of no room concerns nobody we know.
create view report_counter_control_owner_receipts with (security_invoker = true) as
    select r.company_id, r.project_id, p.name as project, r.id as receipt_id, b.code as book, r.number, r.at, r.arrived_at, r.object,
           r.total_fen, r.reverses, o.id as owner_id, o.name, coalesce(o.phone, '') as phone,
           (select x.code || ' ' || lpad(n.number::text, 7, '0') from receipts n join receipt_books x on x.id = n.book_id
            where n.id = r.reverses) as original
    from receipts r join receipt_books b on b.id = r.book_id join projects p on p.id = r.project_id
    join rooms m on m.id = r.room_id join owners o on o.id = m.payer_id;
create view report_access_control_owner_waivers with (security_invoker = true) as
    select a.company_id, a.project_id, p.name as project, a.id as approval_id, k.family, k.name as kind_name, a.title, a.amount_fen,
           a.decided_at, o.id as owner_id, o.name, coalesce(o.phone, '') as phone
    from approvals a join approval_kinds k on k.code = a.kind join projects p on p.id = a.project_id
    join owners o on a.beneficiary = 'owner:' || o.id and o.company_id = a.company_id
    where a.state = 'approved' and k.family in ('waiver', 'write_off');
grant select on report_estate_control_areas, report_counter_control_owner_receipts, report_access_control_owner_waivers
    to gatehouse_app, gatehouse_read;
