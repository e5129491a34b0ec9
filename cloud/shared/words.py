"""What people read for the codes that several slices print or show."""

from __future__ import annotations

TENDERS: dict[str, str] = {
    "cash": "现金",
    "pos": "刷卡",
    "transfer": "转账",
    "cheque": "支票",
    "wechat": "微信",
    "alipay": "支付宝",
    "simulated": "模拟支付",
}
