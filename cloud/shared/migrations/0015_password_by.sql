-- Who last gave a person their password: whoever knows it could ask in their name and then decide (Y-02, G-01).

alter table users add password_by text;
update users set password_by = created_by;
grant select (password_by), update (password_by) on users to gatehouse_app;
