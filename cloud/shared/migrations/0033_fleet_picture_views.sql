-- Who looked at which picture and when (K-37, DESIGN 2.7); no user is a program of the hub. Nobody changes or removes a line.
create table box_picture_views (
    sha256 text not null,
    box text not null references boxes (id),
    company_id int not null,
    project_id int not null,
    user_id int,
    at timestamptz not null
);
create index box_picture_views_picture on box_picture_views (sha256);
create index box_picture_views_at on box_picture_views (project_id, at);

select add_company_scope('box_picture_views');
grant select, insert on box_picture_views to gatehouse_app;
grant select on box_picture_views to gatehouse_read;
