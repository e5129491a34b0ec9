-- The three roles and the scope of every transaction (DESIGN 4). Runs as the database's administrator; all later ones as the owner.

do $$
begin
    if not exists (select from pg_roles where rolname = 'gatehouse_owner') then
        create role gatehouse_owner nologin;
    end if;
    if not exists (select from pg_roles where rolname = 'gatehouse_app') then
        create role gatehouse_app login;
    end if;
    if not exists (select from pg_roles where rolname = 'gatehouse_read') then
        create role gatehouse_read login;
    end if;
end $$;

-- Row security is forced on the owner too. The functions that must look before a company is known (SECURITY DEFINER, one row
-- each) belong to the owner and pass by it; nobody logs in as the owner.
alter role gatehouse_owner nosuperuser nocreatedb nocreaterole bypassrls;
alter role gatehouse_app nosuperuser nocreatedb nocreaterole nobypassrls;
alter role gatehouse_read nosuperuser nocreatedb nocreaterole nobypassrls;
alter role gatehouse_read set default_transaction_read_only = on;
do $$ begin execute format('grant gatehouse_owner to %I', current_user); end $$;

revoke create on schema public from public;
grant usage, create on schema public to gatehouse_owner;
grant usage on schema public to gatehouse_app, gatehouse_read;
do $$ begin execute format('grant create on database %I to gatehouse_owner', current_database()); end $$;
grant select on schema_migrations to gatehouse_owner, gatehouse_app;

-- Rows of a company, and of its projects where the table has them, by what the transaction set: app.companies (none: no rows),
-- app.projects (none: all of the companies). The sub-selects make them constants of a statement instead of calls for every row.
create function add_company_scope(p_table text) returns void language plpgsql as $$
declare
    rule text := 'company_id = any ((select string_to_array(nullif(current_setting(''app.companies'', true), ''''), '',''))::int[])';
begin
    if exists (select from information_schema.columns
               where table_schema = 'public' and table_name = p_table and column_name = 'project_id') then
        rule := rule || ' and ((select nullif(current_setting(''app.projects'', true), '''')) is null or project_id = any '
                     || '((select string_to_array(nullif(current_setting(''app.projects'', true), ''''), '',''))::int[]))';
    end if;
    execute format('alter table %I enable row level security', p_table);
    execute format('alter table %I force row level security', p_table);
    execute format('create policy company_scope on %I using (%s) with check (%s)', p_table, rule, rule);
end $$;

-- The same for tables whose rows may also belong to the group itself (company_id is null): they show with app.group = 'on'.
create function add_group_scope(p_table text) returns void language plpgsql as $$
begin
    perform add_company_scope(p_table);
    execute format('create policy group_scope on %I using (company_id is null and (select current_setting(''app.group'', true)) = ''on'')'
                   || ' with check (company_id is null and (select current_setting(''app.group'', true)) = ''on'')', p_table);
end $$;
