"""Is a line of a bank's statement the cash of a deposit slip? Pure (C-36, G-08). An amount alone proves nothing: another owner's
transfer of the same sum would hide what was taken out of a drawer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from protocols.money import Fen

EARLIEST = timedelta(days=3)
LATEST = timedelta(days=15)
"""From the day a slip is made, how long before and after it its cash may stand on the statement without a question."""

_CASH = ("现金", "存现", "现存", "存款", "ATM", "CDM")
_SETTLEMENT = ("POS", "银联", "清算", "收单", "商户", "结算款")
_OTHER = ("转账", "转入", "汇款", "汇入", "网银", "跨行", "代付", "支票", "财付通", "支付宝", "微信", "二维码", "工资")
_NONE = ("利息", "结息", "退汇")
KINDS = {"cash": "现金存入", "settlement": "收单清算", "transfer": "转账", "other": "说不清"}


@dataclass(frozen=True, slots=True)
class Deposit:
    """A slip that waits: its number, the bank's receipt as the depositor noted it, what has not arrived, when it was made."""

    id: int
    no: str
    receipt: str | None
    left_fen: Fen
    made: date
    handed_in: date | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A line of a statement. `kind`: one of KINDS; `twin`: another file had the same day, sum and remark under another serial."""

    day: date
    amount_fen: Fen
    remark: str
    serial: str
    kind: str
    twin: bool = False


def kind_of(told: str, remark: str, payer: str, holder: str) -> str:
    """What sort of money came in: from the bank's own word for it, else from the remark; a stranger's name makes it a transfer.

    The bank's word is not the payer's to write, a remark is: so the word counts where there is one.
    """
    text = unicodedata.normalize("NFKC", told or remark).upper()
    if any(word in text for word in _NONE):
        return "other"
    if any(word in text for word in _SETTLEMENT):
        return "settlement"
    if any(word in text for word in _OTHER) or payer and payer != holder:
        return "transfer"
    return "cash" if any(word in text for word in _CASH) else "other"


def names(text: str, number: str) -> bool:
    """Whether a number stands in a text as a whole: 'JK2611-1000' is not in 'JK2611-10001'; blanks and dashes do not matter."""
    plain = [re.escape(one) for one in unicodedata.normalize("NFKC", number).upper() if one.isalnum()]
    if len(plain) < 4:
        return False
    found = unicodedata.normalize("NFKC", text).upper()
    return re.search(r"(?<![A-Z0-9])" + r"[\s\-_—–]*".join(plain) + r"(?![A-Z0-9])", found) is not None


def named(slip: Deposit, line: Arrival) -> bool:
    """The line names the slip's own number, or the number of the bank's receipt that the depositor noted."""
    if names(line.remark, slip.no):
        return True
    return slip.receipt is not None and (names(line.remark, slip.receipt) or names(line.serial, slip.receipt))


def doubts(slip: Deposit, line: Arrival, others: Sequence[Deposit] = ()) -> list[str]:
    """Why a person has to look before this line is the slip's cash; nothing when it is plain. `others`: more slips that wait."""
    found = []
    if not named(slip, line):
        found.append("流水里没有这张缴款单的单号或回单号")
    if line.kind != "cash":
        found.append("不是现金存入" if line.kind != "other" else "看不出是现金存入")
    if not slip.made - EARLIEST <= line.day <= slip.made + LATEST:
        found.append("到账日期和缴款单差得太远")
    if slip.handed_in is not None and line.day < slip.handed_in:
        found.append("到账早于回单上的存入日期")
    if line.amount_fen > slip.left_fen:
        found.append("到账多于还没到的金额")
    if line.twin:
        found.append("疑似重复：另一份流水里有同日、同额、同摘要的一笔")
    if any(one.id != slip.id and named(one, line) for one in others):
        found.append("也写着别的缴款单的号")
    return found


def placed(slips: Sequence[Deposit], line: Arrival) -> tuple[int | None, str | None]:
    """(the slip a line looks like, why somebody must decide: None when it is plain)."""
    told = {one.id: doubts(one, line, slips) for one in slips}
    plain = [one for one in told if not told[one]]
    if len(plain) == 1:
        return plain[0], None
    near = [one.id for one in slips if named(one, line)]
    if not near and line.kind in ("cash", "other"):
        near = [
            one.id for one in slips if one.left_fen == line.amount_fen and one.made - EARLIEST <= line.day <= one.made + LATEST
        ]
    if not near:
        return None, None
    if len(near) > 1:
        return None, "不止一张缴款单可能是它"
    return near[0], "；".join(told[near[0]])
