-- Finding people and rooms among 100,000 (O-08, U-05). What can be typed is stored as the beginnings it is found by: every ending
-- of a room's digits, of a name and of a plate, a phone from behind. A range of a C-collated text is an index scan under row
-- security too, which a LIKE never is (text comparison leaks nothing). The project comes first: a search asks each in scope.

drop trigger rooms_search_insert on rooms;
drop trigger rooms_search_update on rooms;
drop trigger owners_search on owners;
drop trigger vehicles_search_insert on vehicles;
drop trigger vehicles_search_update_old on vehicles;
drop trigger vehicles_search_update_new on vehicles;
drop trigger vehicles_search_delete on vehicles;
drop function estate_index_rooms(int[]), estate_rooms_changed(), estate_payer_changed(), estate_owners_changed(),
    estate_vehicles_changed();
alter table rooms drop column search;

create table estate_terms (
    company_id int not null,
    project_id int not null,
    kind "char" not null,
    term text collate "C" not null,
    subject int not null,
    primary key (project_id, kind, term, subject)
);
comment on column estate_terms.kind is 'room: d digits, v plate; owner: n name, p pinyin, t phone reversed, o number, w plate';
create index estate_terms_subject on estate_terms (subject, kind);
select add_company_scope('estate_terms');
grant select, insert, delete on estate_terms to gatehouse_app;

create function estate_endings(p_text text) returns setof text language sql immutable strict as $$
    select substr(p_text, n) from generate_series(1, least(length(p_text), 40)) n
$$;

create function estate_put_terms(p_kinds "char"[], p_subjects int[]) returns void language plpgsql as $$
begin
    if p_subjects is null then
        return;
    end if;
    delete from estate_terms t where t.subject = any (p_subjects) and t.kind = any (p_kinds);
    if 'd' = any (p_kinds) then
        insert into estate_terms (company_id, project_id, kind, term, subject)
            select r.company_id, r.project_id, 'd'::"char", e collate "C", r.id
            from rooms r, estate_endings(lower(r.digits)) e where r.id = any (p_subjects)
        union
            select v.company_id, v.project_id, 'v'::"char", e collate "C", v.room_id
            from vehicles v, estate_endings(lower(v.plate)) e
            where v.room_id = any (p_subjects);
    else
        insert into estate_terms (company_id, project_id, kind, term, subject)
            select o.company_id, o.project_id, 'n'::"char", e collate "C", o.id
            from owners o, estate_endings(lower(o.name)) e
            where o.id = any (p_subjects) and o.status in ('active', 'left')
        union
            select o.company_id, o.project_id, 'n'::"char", e collate "C", o.id
            from owners o join owner_names h on h.owner_id = o.id, estate_endings(lower(h.name)) e
            where o.id = any (p_subjects) and o.status in ('active', 'left')
        union
            select o.company_id, o.project_id, one.kind, one.term collate "C", o.id
            from owners o, lateral (values ('p'::"char", o.pinyin), ('t'::"char", reverse(o.phone)), ('o'::"char", lower(o.number))) as one (kind, term)
            where o.id = any (p_subjects) and o.status in ('active', 'left') and one.term <> ''
        union
            select p.company_id, p.project_id, 't'::"char", reverse(p.phone) collate "C", p.owner_id
            from owner_phones p where p.owner_id = any (p_subjects)
        union
            select v.company_id, v.project_id, 'w'::"char", e collate "C", v.owner_id
            from vehicles v, estate_endings(lower(v.plate)) e
            where v.owner_id = any (p_subjects);
    end if;
end $$;

create function estate_rooms_found() returns trigger language plpgsql as $$
begin
    perform estate_put_terms('{d,v}', (select array_agg(id) from changed));
    return null;
end $$;
create function estate_room_found() returns trigger language plpgsql as $$
begin
    perform estate_put_terms('{d,v}', array[new.id]);
    return null;
end $$;
create function estate_owners_found() returns trigger language plpgsql as $$
begin
    perform estate_put_terms('{n,p,t,o,w}', (select array_agg(id) from changed));
    return null;
end $$;
create function estate_owner_found() returns trigger language plpgsql as $$
begin
    perform estate_put_terms('{n,p,t,o,w}', array[new.id]);
    return null;
end $$;
create function estate_owned_found() returns trigger language plpgsql as $$
begin
    perform estate_put_terms('{n,p,t,o,w}', (select array_agg(distinct owner_id) from changed where owner_id is not null));
    return null;
end $$;
create function estate_vehicles_found() returns trigger language plpgsql as $$
begin
    perform estate_put_terms('{d,v}', (select array_agg(distinct room_id) from changed where room_id is not null));
    perform estate_put_terms('{n,p,t,o,w}', (select array_agg(distinct owner_id) from changed where owner_id is not null));
    return null;
end $$;
create trigger rooms_found_insert after insert on rooms referencing new table as changed
    for each statement execute function estate_rooms_found();
create trigger rooms_found_update after update of code on rooms
    for each row when (old.code <> new.code) execute function estate_room_found();
create trigger owners_found_insert after insert on owners referencing new table as changed
    for each statement execute function estate_owners_found();
create trigger owners_found_update after update of name, pinyin, phone, number, status on owners
    for each row when ((old.name, old.pinyin, old.phone, old.number, old.status) is distinct from
                       (new.name, new.pinyin, new.phone, new.number, new.status)) execute function estate_owner_found();
create trigger owner_phones_found_insert after insert on owner_phones referencing new table as changed
    for each statement execute function estate_owned_found();
create trigger owner_phones_found_update after update on owner_phones referencing new table as changed
    for each statement execute function estate_owned_found();
create trigger owner_phones_found_delete after delete on owner_phones referencing old table as changed
    for each statement execute function estate_owned_found();
create trigger vehicles_found_insert after insert on vehicles referencing new table as changed
    for each statement execute function estate_vehicles_found();
create trigger vehicles_found_update_old after update on vehicles referencing old table as changed
    for each statement execute function estate_vehicles_found();
create trigger vehicles_found_update_new after update on vehicles referencing new table as changed
    for each statement execute function estate_vehicles_found();
create trigger vehicles_found_delete after delete on vehicles referencing old table as changed
    for each statement execute function estate_vehicles_found();

select estate_put_terms('{d,v}', (select array_agg(id) from rooms));
select estate_put_terms('{n,p,t,o,w}', (select array_agg(id) from owners));
