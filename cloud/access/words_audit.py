"""What the audit log's codes are called on its page: acts, groups of acts to filter by, kinds of objects (N-11)."""

from __future__ import annotations

from collections.abc import Mapping

ACTIONS: Mapping[str, str] = {
    "access.": "登录", "user.": "人员", "department.": "部门", "setting.": "设置", "approval.": "审批", "receipt.": "收据",
    "shift.": "班次", "day.": "日结", "slip.": "缴款单", "statement.": "银行流水", "fees.": "收费标准和应收",
    "owner.": "抹除个人信息", "estate.": "业主和房产", "project.": "项目", "incident.": "告警",
    "recon.": "渠道对账", "refund.": "退款", "export": "导出",
}  # fmt: skip
"""beginning of an act's code -> the word to filter by"""

WORDS: Mapping[str, str] = {
    "access.log_in": "登录", "user.create": "新增人员", "user.edit": "改资料", "user.grant": "授予角色",
    "user.revoke": "收回角色", "user.disable": "停用", "user.enable": "启用", "user.password": "改密码",
    "user.reset_password": "重设密码", "user.pin": "设解锁码", "user.factor_on": "启用动态验证码",
    "user.factor_off": "停用动态验证码", "department.create": "新建部门", "setting.change": "改设置", "approval.ask": "申请",
    "approval.approve": "批准", "approval.return": "退回", "approval.first_step": "批第一步", "approval.withdraw": "撤回",
    "approval.expire": "过期", "approval.delegate": "委托", "approval.undelegate": "收回委托", "export": "导出",
    "project.create": "新建项目", "company.create": "新建公司", "project.close": "项目退出",
    "shift.close": "代为交班", "day.close": "关闭日结", "month.close": "关闭月结", "handover.refuse": "拒绝点收",
    "pass.refuse": "拒绝点收转交", "statement.import": "导入银行流水", "settlement.import": "导入渠道账单",
    "slip.decide": "裁定到账", "refund.print": "打印退款单", "owner.erase": "抹除个人信息", "incident.act": "处理告警",
    "recon.take": "认领差异", "recon.decide": "裁定差异", "recon.resolve": "差异结案", "recon.batch": "按批对账",
    "fees.publish": "发布标准", "fees.filing": "补备案", "fees.item": "改费用项目", "fees.assign": "指定收费标准",
    "fees.end": "停收",
    "fees.add_lines": "登记应收", "fees.drop_run": "丢弃一批应收", "fees.dispute": "登记争议", "fees.end_dispute": "争议了结",
    "estate.add_company": "新建公司", "estate.add_project": "新建项目", "estate.project": "改项目",
    "estate.account": "改收款账户",
    "estate.add_rooms": "登记房产", "estate.room": "改房产", "estate.room_status": "改房产状态", "estate.split_room": "拆分房产",
    "estate.merge_rooms": "合并房产", "estate.owner": "改业主", "estate.merge_owners": "合并业主", "estate.people": "改住户",
    "estate.payer": "改缴费人", "estate.vehicle": "改车辆", "estate.see_identity": "看证件号", "estate.import": "导入业主房产",
    "metering.plan": "改抄表计划", "site.report": "现场上报",
}  # fmt: skip
"""code of an act -> its word"""

_OBJECTS: Mapping[str, str] = {
    "user": "人员", "shift": "班次", "setting": "设置", "line": "应收", "lines": "应收",
    "assignment": "收费关系", "run": "应收批次",
    "owner": "业主", "room": "房间", "account": "银行账户", "site_report": "现场上报", "refund": "退款", "batch": "对账批次",
    "project": "项目", "company": "公司", "slip": "缴款单", "pass": "转交", "incident": "告警",
    "version": "标准版本", "item": "费用项目",
    "standard": "收费标准", "import": "导入", "department": "部门", "close": "日结", "delegation": "委托", "approval": "审批",
    "receipt": "收据", "count": "盘点", "deposit": "押金", "wallet": "预存", "opening": "期初余额", "statement": "流水",
    "guard": "岗亭现金", "contract": "合同", "exception": "对账差异",
}  # fmt: skip


def object_words(code: str) -> str:
    """'receipt:12' as '收据 12'; a kind that has no word stays as it is stored."""
    kind, colon, rest = code.partition(":")
    return f"{_OBJECTS[kind]} {rest}" if colon and kind in _OBJECTS else code


def object_code(typed: str) -> str:
    """What somebody typed, '收据 12' or 'receipt:12', as it is stored."""
    plain = typed.strip()
    for kind, word in _OBJECTS.items():
        if plain.startswith(word) and plain[len(word) :].strip().isdigit():
            return f"{kind}:{plain[len(word) :].strip()}"
    return plain
