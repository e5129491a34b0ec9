-- The signed text of a close is for who verifies it (C-34); a month is closed by the subsidiary's manager or headquarters' finance, whose
-- reports it freezes, not by who takes the money (C-38, Y-02).

insert into role_permissions (role, permission)
select role, permission
from (values
    ('close.verify', '{hq_finance,hq_auditor}'),
    ('month.close', '{hq_finance,sub_manager}')
) as matrix (permission, roles), unnest(matrix.roles::text[]) as role;
