-- Settings as forms: what each asks for and what it does. Names that nothing in the hub reads are gone, as a setting that changes
-- nothing is a lie (Y-14). A document lists its fields: {"name", "title", "choices": {code: word} | absent for text}.
alter table setting_names add column help text not null default '';
alter table setting_names add column fields jsonb check (fields is null or jsonb_typeof(fields) = 'array');
alter table setting_names drop constraint setting_names_kind_check;
alter table setting_names add constraint setting_names_kind_check check (kind in ('number', 'money', 'text', 'flag', 'document'));

do $$
declare
    unread text;
begin
    foreach unread in array array['receipt.numbering', 'tariff.basis', 'approval.limits', 'clock.source', 'counter.cash_limit',
                                  'counter.idle_minutes', 'shift.variance', 'message.sender', 'print.footer'] loop
        begin
            delete from setting_names where name = unread;
        exception when foreign_key_violation then
            update setting_names set help = '已不再使用' where name = unread;
        end;
    end loop;
end $$;

update setting_names set
    help = '每张收据的抬头、说明和页脚；纸张可以在收费窗口按终端另选',
    fields = '[{"name": "paper", "title": "纸张", "choices": {"a5": "A5 横向", "a4": "A4",
                "matrix241": "241 mm 三联针打", "thermal80": "80 mm 热敏", "thermal58": "58 mm 热敏"}},
               {"name": "title", "title": "抬头"}, {"name": "note", "title": "说明"}, {"name": "foot", "title": "页脚"}]'
where name = 'receipt.template';
update setting_names set help = '部分缴费时，钱先抵违约金再抵本金；不启用则先抵本金' where name = 'counter.late_first';
