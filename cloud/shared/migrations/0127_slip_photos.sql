-- Photos of bank receipts, by hash; one photo proves one slip, whoever uploads it again (C-35, G-08).

create table slip_photos (
    id int generated always as identity primary key,
    company_id int not null,
    project_id int not null references projects (id),
    slip_id int not null references deposit_slips (id),
    sha256 text not null unique check (sha256 ~ '^[0-9a-f]{64}$'),
    original text not null unique check (original ~ '^[0-9a-f]{64}$'),
    size int not null check (size between 1 and 200000),
    by_id int not null,
    by_number text not null,
    at timestamptz not null
);
comment on column slip_photos.sha256 is 'of the picture as kept: made small again, without what the phone wrote into it; original: of the upload';
create index slip_photos_slip on slip_photos (slip_id);
select add_company_scope('slip_photos');
grant select, insert on slip_photos to gatehouse_app;
grant select on slip_photos to gatehouse_read;
create trigger slip_photos_append_only before update or delete or truncate on slip_photos
    for each statement execute function ledger_refuse_change();
