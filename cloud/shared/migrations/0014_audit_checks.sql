-- Up to where each audit chain was verified last, by whom, and what was broken (Y-13). Not evidence: `verify` reads the chain itself.
create table audit_checks (
    chain text primary key,
    company_id int,
    project_id int,
    seq bigint not null,
    checked_at timestamptz not null,
    checked_by text not null,
    fault text not null default ''
);
select add_group_scope('audit_checks');
grant select, insert, update (seq, checked_at, checked_by, fault) on audit_checks to gatehouse_app;
grant select on audit_checks to gatehouse_read;
