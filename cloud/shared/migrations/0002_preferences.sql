-- What somebody set for themselves (columns of a list, kept conditions, size of text) and what they were typing. Nobody's company:
-- read and written only by the user's own number, which the hub takes from the session.

create table user_preferences (
    user_id int not null,
    name text not null check (length(name) between 1 and 80),
    value jsonb not null,
    primary key (user_id, name)
);
grant select, insert, update, delete on user_preferences to gatehouse_app;

create table form_drafts (
    user_id int not null,
    form text not null check (length(form) between 1 and 120),
    typed jsonb not null check (length(typed::text) <= 60000),
    saved_at timestamptz not null,
    primary key (user_id, form)
);
grant select, insert, update, delete on form_drafts to gatehouse_app;
