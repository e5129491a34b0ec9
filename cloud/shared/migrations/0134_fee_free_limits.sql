-- Up to so much nobody is asked about a charge: amounts as people read them (0129 made the settings).
update setting_names set kind = 'money', title = '手工应收免批上限', help = '一次录入的合计不超过这个数，不用另一人批；0 就是都要批'
where name = 'fees.free_by_hand';
update setting_names set kind = 'money', title = '个别收费免批上限', help = '和标准相比一年的差额不超过这个数，不用另一人批；0 就是都要批'
where name = 'fees.free_exception';
update setting_names set kind = 'money', title = '争议免批上限', help = '欠费不超过这个数的争议，记下就停算违约金，不用另一人批；0 就是都要批'
where name = 'fees.free_dispute';
