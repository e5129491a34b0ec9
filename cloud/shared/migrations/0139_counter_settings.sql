-- How much a project may keep in drawers, and how much cash goes back without headquarters, are headquarters' settings (C-12, C-35, G-20).

insert into setting_names (name, title, kind, high_risk, usual, help) values
    ('counter.float_limit', '项目留存备用金上限', 'money', true, '200000', '交班时留在抽屉里、比开班多出来的现金，一个项目合计最多这么多；多的要交出来送存银行'),
    ('counter.cash_refund_limit', '现金退款免报总部上限', 'money', true, '20000', '同一收款人、同一房间、同一申请人 30 天内的现金退款累计，超过就由总部财务批');
