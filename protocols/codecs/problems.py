"""The error kinds of the codecs: what is wrong with a frame, in the words the vectors use."""

from __future__ import annotations

from collections.abc import Mapping

from protocols.errors import Refused

KINDS: Mapping[str, str] = {
    "truncated": "报文不完整",
    "bad_start": "报文开头不对",
    "bad_end": "报文结尾不对",
    "bad_length": "报文长度不对",
    "bad_checksum": "校验和不对",
    "trailing": "报文后面有多余字节",
    "bad_bcd": "数字不是 BCD 码",
    "bad_value": "数值不合理",
    "bad_unit": "不认识的计量单位",
    "bad_address": "表地址不对",
    "unsupported": "格式没错，但不认识这一项",
    "wrong_address": "应答来自别的表",
    "wrong_di": "应答的是另一个数据项",
    "wrong_function": "应答的是另一种命令",
    "wrong_transaction": "应答的是另一次询问",
    "bad_sequence": "应答的帧序号不对",
    "echo": "收到的是自己发出的报文",
    "device_refused": "设备拒绝了请求",
    "device_busy": "设备忙",
    "device_failed": "设备报告故障",
    "too_long": "内容太长",
    "too_short": "内容太短",
    "bad_text": "文字无法编码",
}


def problem(kind: str, en: str, *, field: str | None = None, **facts: object) -> Refused:
    """The error of one kind, to be raised; `en` says what exactly was found."""
    return Refused(kind, KINDS[kind], en, field=field, **facts)


def parse_hex(text: object, *, field: str = "hex") -> bytes:
    """Hex digits, blanks allowed, as a person pastes them. Refused `bad_value`."""
    if not isinstance(text, str):
        raise problem("bad_value", "hex digits are needed", field=field)
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise problem("bad_value", "not hex digits in pairs", field=field) from None


def to_hex(data: bytes) -> str:
    return data.hex().upper()
