"""Owners: what is known of them, how they belong to rooms, who pays (O-01 .. O-07)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from pypinyin import Style, lazy_pinyin

from cloud.estate.domain_fields import Reader
from protocols.errors import Refused

OWNER_KINDS: dict[str, str] = {"person": "个人", "org": "单位"}
IDENTITIES: dict[str, str] = {
    "": "", "id_card": "身份证", "passport": "护照", "hk_macao": "港澳居民证件", "taiwan": "台胞证", "residence": "外国人居留证",
    "other": "其他证件",
}  # fmt: skip
RELATIONS: dict[str, str] = {
    "owner": "业主", "co_owner": "共有人", "tenant": "租户", "family": "家属", "occupant": "使用人", "agent": "代理人",
}  # fmt: skip
OWNER_STATUSES: dict[str, str] = {"active": "在册", "left": "已迁出", "merged": "已合并", "erased": "已删除个人信息"}
LANGUAGES: dict[str, str] = {"zh": "中文", "en": "英文"}
OWNER_LABELS: dict[str, str] = {
    "name": "姓名", "number": "业主编号", "kind": "类型", "phone": "手机", "phone2": "电话 2", "phone3": "电话 3",
    "identity_type": "证件类型", "identity": "证件号码", "credit_code": "统一社会信用代码", "email": "邮箱",
    "emergency_name": "紧急联系人", "emergency_phone": "紧急联系电话", "address": "通讯地址", "invoice_title": "发票抬头",
    "tax_no": "税号", "invoice_bank": "开户行", "invoice_account": "开户账号", "language": "语言", "tags": "标签", "note": "备注",
}  # fmt: skip

# Family names that are read otherwise than the same character elsewhere.
_SURNAMES = {
    "曾": "z", "单": "s", "仇": "q", "解": "x", "查": "z", "盖": "g", "区": "o", "朴": "p", "任": "r", "华": "h", "繁": "p",
    "尉": "w", "种": "c", "缪": "m", "翟": "z", "折": "s", "黑": "h", "乐": "y", "员": "y", "召": "s", "秘": "b", "冼": "x",
}  # fmt: skip
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone with what may be sent there (O-07); `wrong`: nothing."""

    phone: str
    label: str = ""
    sms: bool = True
    wechat: bool = True
    call: bool = True
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class OwnerValues:
    """What a person may set of an owner (5.1). `identity`: None leaves it as it is, '' takes it away."""

    name: str
    number: str = ""
    kind: str = "person"
    identity_type: str = ""
    identity: str | None = field(default=None, repr=False)
    credit_code: str = ""
    email: str = ""
    emergency_name: str = ""
    emergency_phone: str = ""
    address: str = ""
    invoice_title: str = ""
    tax_no: str = ""
    invoice_bank: str = ""
    invoice_account: str = ""
    language: str = "zh"
    tags: tuple[str, ...] = ()
    note: str = ""
    phones: tuple[Phone, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnerRecord:
    """An owner in full, the identity number only masked (O-05)."""

    id: int
    company_id: int
    project_id: int
    values: OwnerValues
    identity_masked: str
    status: str
    merged_into: int | None
    created_at: datetime
    created_by: str
    changed_at: datetime | None
    changed_by: str | None
    version: int
    names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.values.name

    @property
    def phone(self) -> str:
        """The first that is not known to be wrong; ''."""
        return next((one.phone for one in self.values.phones if not one.wrong), "")


@dataclass(frozen=True, slots=True)
class Relation:
    """Somebody of a room over [from_day, to_day); None: always, for ever. `share` in per cent."""

    id: int
    room_id: int
    room_code: str
    owner_id: int
    name: str
    phone: str
    relation: str
    share: Decimal | None
    from_day: date | None
    to_day: date | None

    def on(self, day: date) -> bool:
        return (self.from_day is None or self.from_day <= day) and (self.to_day is None or day < self.to_day)


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays an item (None: all that have no payer of their own) over [from_day, to_day); no owner: nobody."""

    id: int
    room_id: int
    item_code: str | None
    owner_id: int | None
    name: str
    from_day: date | None
    to_day: date | None

    def on(self, day: date) -> bool:
        return (self.from_day is None or self.from_day <= day) and (self.to_day is None or day < self.to_day)


@dataclass(frozen=True, slots=True)
class Payers:
    """The payers of a room on one day. `by_item` may name None: nobody pays that item."""

    default: int | None
    by_item: Mapping[str, int | None]

    def of(self, item_code: str | None) -> int | None:
        """The owner who pays an item; None when nobody is named."""
        return self.default if item_code is None else self.by_item.get(item_code, self.default)


@dataclass(frozen=True, slots=True)
class Transfer:
    """过户 (O-03): `from_day` is the first day of the new owner. What becomes of the rest is recorded, done by its holders."""

    id: int
    project_id: int
    room_id: int
    old_owner_id: int | None
    new_owner_id: int
    from_day: date
    arrears: str
    wallets: str
    deposits: str
    consent: str
    reason: str


def initials(name: str) -> str:
    """Pinyin initials in lower case, as cashiers type them: 贾晓满 -> 'jxm'. Surnames by how they are read."""
    plain = re.sub(r"[^\w]", "", name)
    letters = "".join(
        part[:1] if not part.isascii() or len(part) == 1 else part for part in lazy_pinyin(plain, style=Style.FIRST_LETTER)
    )
    if plain and plain[0] in _SURNAMES:
        letters = _SURNAMES[plain[0]] + letters[1:]
    return re.sub(r"[^a-z0-9]", "", letters.lower())[:60]


def mask_phone(phone: str) -> str:
    """'13912340502' -> '139****0502'."""
    return phone if len(phone) < 7 else f"{phone[:3]}****{phone[-4:]}"


def mask_identity(number: str) -> str:
    """'110101199001010021' -> '1101**********0021'; short ones show their last two only."""
    if len(number) >= 12:
        return number[:4] + "*" * (len(number) - 8) + number[-4:]
    return "*" * max(len(number) - 2, 0) + number[-2:] if number else ""


def identity_fault(kind: str, number: str) -> str | None:
    """Why a number cannot be one of this kind (GB 11643-1999 for identity cards); None when it can."""
    if kind != "id_card":
        return None if re.fullmatch(r"[A-Z0-9()/-]{4,30}", number) else "证件号码只有字母和数字，4 到 30 位"
    if not re.fullmatch(r"\d{17}[\dX]", number):
        return f"身份证号码是 18 位，现在是 {len(number)} 位" if len(number) != 18 else "身份证号码只有数字，最后一位可以是 X"
    month, day = int(number[10:12]), int(number[12:14])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return "身份证号码里的出生日期不对，请核对第 7 到 14 位"
    total = sum(int(one) * weight for one, weight in zip(number, _WEIGHTS, strict=False))
    return None if "10X98765432"[total % 11] == number[17] else "身份证号码的最后一位对不上，请核对有没有写错"


def credit_fault(code: str) -> str | None:
    """Why a unified social credit code is none (GB 32100-2015)."""
    if not re.fullmatch(f"[{_CREDIT}]{{18}}", code):
        return f"统一社会信用代码是 18 位（没有 I O S V Z），现在是 {len(code)} 位"
    total = sum(_CREDIT.index(one) * pow(3, place, 31) for place, one in enumerate(code[:17]))
    return None if (31 - total % 31) % 31 == _CREDIT.index(code[17]) else "统一社会信用代码的最后一位对不上，请核对"


def read_owner(reader: Reader, phones: Sequence[Phone] | None = None) -> OwnerValues:
    """An owner from their texts; what is wrong stands in `reader.problems`. `phones`: else phone, phone2, phone3."""
    kind = reader.choice("kind", OWNER_KINDS, "person")
    identity = reader.text("identity", 30).upper().replace(" ", "")
    identity_type = reader.choice("identity_type", IDENTITIES, "id_card" if re.fullmatch(r"\d{17}[\dX]", identity) else "")
    if identity and not identity_type:
        identity_type = "other"
    if identity and (fault := identity_fault(identity_type, identity)):
        reader.fail("identity", fault)
    credit = reader.text("credit_code", 18).upper()
    if credit and (fault := credit_fault(credit)):
        reader.fail("credit_code", fault)
    email = reader.text("email", 80)
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", email):
        reader.fail("email", f"邮箱写的是“{email}”，要像 name@example.com")
    if phones is None:
        typed = [reader.phone(name) for name in ("phone", "phone2", "phone3")]
        phones = [Phone(one) for one in dict.fromkeys(typed) if one]
    return OwnerValues(
        name=reader.text("name", 60, needed=True),
        number=reader.text("number", 24),
        kind=kind,
        identity_type=identity_type if identity else "",
        identity=identity or None,
        credit_code=credit,
        email=email,
        emergency_name=reader.text("emergency_name", 40),
        emergency_phone=reader.phone("emergency_phone"),
        address=reader.text("address", 120),
        invoice_title=reader.text("invoice_title", 80),
        tax_no=reader.text("tax_no", 20).upper(),
        invoice_bank=reader.text("invoice_bank", 80),
        invoice_account=reader.text("invoice_account", 32),
        language=reader.choice("language", LANGUAGES, "zh"),
        tags=reader.several("tags", 20),
        note=reader.text("note", 200),
        phones=tuple(phones),
    )


def check_shares(relations: Iterable[Relation]) -> None:
    """Refused `shares` when on any day the shares of a room come to more than 100 per cent (O-01)."""
    held = [one for one in relations if one.share is not None]
    for day in [one.from_day for one in held]:
        first = date.min if day is None else day
        total = sum((one.share or Decimal(0) for one in held if one.on(first)), Decimal(0))
        if total > 100:
            since = "" if day is None else f"从 {day} 起"
            raise Refused(
                "shares", f"{since}各人份额合计 {total.normalize():f}%，超过 100%", f"shares come to {total} %", field="share"
            )
