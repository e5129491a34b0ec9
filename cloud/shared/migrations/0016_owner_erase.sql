-- Erasing a departed person is the project manager's alone (1.1, O-10): the service desk writes owners, but takes nobody's data away.

insert into role_permissions (role, permission) values ('project_manager', 'owner.erase');
