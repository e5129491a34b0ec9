-- How much a project may keep in drawers, and how much cash goes back without headquarters, are headquarters' settings (C-12, C-35, G-20).

insert into setting_names (name, title, kind, high_risk, usual, help) values
    ('counter.float_limit', '项目留存备用金上限', 'money', true, '200000', '交班时留在抽屉里、比开班多出来的现金，一个项目合计最多这么多；多的要交出来送存银行'),
    ('counter.cash_refund_limit', '现金退款免报总部上限', 'money', true, '20000', '同一收款人、同一房间、同一申请人 30 天内的现金退款累计，超过就由总部财务批');

-- Where the working days come from: 0095's days are those of the notice, compared line by line with its text as newspapers printed it
-- on 2025-11-05 (Xinhua, 4 November 2025).
alter table calendar_days add source text not null default '';
alter table calendar_days alter column source drop default;
update calendar_days set source = '国务院办公厅关于2026年部分节假日安排的通知（国办发明电〔2025〕7号，2025-11-04）' where day between '2026-01-01' and '2026-12-31';
comment on column calendar_days.source is 'the notice that moved the day; another year is a migration, what differs in a company its company_days';
