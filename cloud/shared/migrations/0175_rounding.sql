-- 抹零 (C-18): off unless headquarters switches it on; what it may give up on one receipt and in a project's day.
insert into setting_names (name, title, kind, high_risk, usual, help, fields) values
    ('counter.rounding', '现金零头', 'document', true, '{"mode": "off", "unit": "jiao"}',
     '没有分币怎么办。抹零是公司少收，收据上单列一行；转预存是多收的零头记进这户的通用预存，不少收',
     '[{"name": "mode", "title": "做法", "choices": {"off": "不处理", "discount": "抹零", "wallet": "零头转通用预存"}},
       {"name": "unit", "title": "到哪一位", "choices": {"jiao": "角", "yuan": "元"}}]');
insert into setting_names (name, title, kind, high_risk, usual, help) values
    ('counter.rounding_receipt', '一张收据最多抹零', 'money', true, '99', '超过的不能抹'),
    ('counter.rounding_day', '一个项目一天最多抹零', 'money', true, '2000', '当天抹够以后，窗口按实际金额收');
