"""How a standard is asked for: its methods, its fields, and every choice that can be read two ways as a full sentence with an
example (Q-09, UI.md 8). The rules themselves are in calculator/rules.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "price", "share", "number", "whole", "money", "month_day", "text", "choice", "yes_no", "tiers", "bands", "offers", "item"
]
Option = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form. `options`: (code, sentence, example), the usual one first. `when`: only if another one says so."""

    name: str
    label: str
    kind: Kind
    need: bool = True
    help: str = ""
    options: tuple[Option, ...] = ()
    when: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """A way to charge. `by_facts`: its lines come from readings, turnover or a total, not from time alone."""

    code: str
    name: str
    about: str
    fields: tuple[Field, ...]
    by_facts: bool = False


_AREAS: tuple[Option, ...] = (
    ("gross", "按建筑面积", "房产证上的面积，含公摊"),
    ("inner", "按套内面积", "不含公摊"),
    ("used", "按使用（分摊）面积", "房间资料里的“分摊面积”"),
)
AREA = Field("area_kind", "用哪种面积", "choice", options=_AREAS)
_PART: tuple[Option, ...] = (
    ("actual", "按实际天数：天数 ÷ 当月天数", "1 月 20 日入住，1 月收 12/31"),
    ("thirty", "一个月按 30 天：天数 ÷ 30", "1 月 20 日入住，1 月收 12/30"),
    ("full", "不满一个月也收一整月", "1 月 31 日入住，1 月收整月"),
    ("half", "1 至 15 天收半个月，16 天起收整月", "1 月 20 日入住，住 12 天，收半个月"),
    ("next_month", "不满的这个月不收", "1 月 20 日入住，从 2 月起收"),
    ("cut15", "15 日（含）以前整月，以后不收", "1 月 15 日入住收整月，16 日入住从 2 月起收"),
    ("year365", "月价 × 12 ÷ 365 × 天数", "1 月 20 日入住，1 月收 月价 × 12 ÷ 365 × 12 天"),
)
_END: tuple[Option, ...] = (
    ("actual", "按实际天数：天数 ÷ 当月天数", "4 月 7 日搬走，4 月收 7/30"),
    ("thirty", "一个月按 30 天：天数 ÷ 30", "3 月 7 日搬走，3 月收 7/30"),
    ("full", "不满一个月也收一整月", "4 月 1 日搬走，4 月收整月"),
    ("half", "1 至 15 天收半个月，16 天起收整月", "4 月 7 日搬走，收半个月"),
    ("next_month", "不满的这个月不收", "4 月 29 日搬走，4 月不收"),
    ("cut15", "15 日（含）以前不收，以后收整月", "4 月 15 日搬走 4 月不收，16 日搬走收整月"),
    ("year365", "月价 × 12 ÷ 365 × 天数", "4 月 7 日搬走，4 月收 月价 × 12 ÷ 365 × 7 天"),
)
RECURRING = (
    Field("proration_start", "头一个月不满怎么收", "choice", options=_PART),
    Field("proration_end", "最后一个月不满怎么收", "choice", options=_END),
    Field(
        "on_price_change",
        "已经预缴的，后来调价怎么办",
        "choice",
        options=(
            ("keep", "不补不退：预缴时的价格算到预缴期满", "缴到 12 月，7 月涨价，7 至 12 月不补"),
            ("top_up", "补差价：从调价日起多退少补", "缴到 12 月，7 月每月涨 10 元，补 60 元"),
        ),
    ),
    Field(
        "refund_running",
        "中途搬走，当期剩下的退不退",
        "yes_no",
        options=(
            ("no", "当期不退，只退后面整期的", "按季缴，2 月 10 日搬走，一季度不退"),
            ("yes", "当期剩下的天数也退", "按季缴，2 月 10 日搬走，退 2 月 11 日以后的"),
        ),
    ),
    Field(
        "offers",
        "预缴优惠",
        "offers",
        need=False,
        help="每行一个：“满几期 优惠”，12 5% 是满 12 期总额减 5%，12 免1期 是最后 1 期不收；只给达到的最高一个，有欠费不给",
    ),
    Field(
        "termination",
        "享了优惠又中途搬走，怎么退",
        "choice",
        options=(
            ("reprice", "用过的期数按原价重算，退剩下的", "缴 12 期 95 折共 1,140 元，用了 6 期：退 1,140 − 600 = 540 元"),
            ("keep_discount", "优惠照给，退没用的几期的折后价", "缴 12 期 95 折共 1,140 元，用了 6 期：退 570 元"),
        ),
        when=("offers", "*"),
    ),
)
PRICED = (
    Field(
        "price_per",
        "这个单价是多长时间的",
        "choice",
        options=(
            ("month", "每月的价", "2.35 元/㎡·月，一个季度收 3 个月"),
            ("day", "每天的价", "0.5 元/天，31 天的月份收 31 天"),
            ("year", "每年的价", "1,200 元/年"),
        ),
    ),
    Field(
        "year_basis",
        "不足一年怎么算",
        "choice",
        options=(
            ("actual_year", "按天数：天数 ÷ 当年天数（365 或 366）", "7 月 1 日起，收 184/365"),
            ("months", "按月数：月数 ÷ 12", "7 月 1 日起，收 6/12"),
        ),
        when=("price_per", "year"),
    ),
)
BOUNDS = (
    Field("vacancy_factor", "空置打几折", "share", need=False, help="房间登记为空置期间乘这个系数，例如 0.7；不打折就不填"),
    Field("min_fen", "最低收费（元）", "money", need=False, help="算出来不到这个数按这个数收；不设就不填"),
    Field("max_fen", "最高收费（元）", "money", need=False, help="算出来超过这个数按这个数收；不封顶就不填"),
    Field(
        "bounds_per",
        "最低、最高按一笔还是按月",
        "choice",
        options=(
            ("line", "按一笔：一张账单一个最低、最高", "最低 30 元，按季收，一季最低 30 元"),
            ("month", "按月：乘这一笔的月数", "最低 30 元，按季收，一季最低 90 元"),
        ),
        when=("min_fen|max_fen", "*"),
    ),
)
_PRICE = Field("price", "单价（元）", "price", help="最多 6 位小数")
_SEASON = (
    Field("season_first", "采暖季第一天", "month_day", help="月-日，例如 11-15"),
    Field("season_last", "采暖季最后一天", "month_day", help="月-日，例如 03-15，当天也供暖"),
)
_LIST = (
    Method(
        "area",
        "按面积",
        "面积 × 单价 × 月数，住宅物业费多用这一种",
        (Field("price", "单价（元/㎡）", "price", help="最多 6 位小数"), AREA, *PRICED, *RECURRING, *BOUNDS),
    ),
    Method("unit", "按数量", "每户、每个车位多少钱，数量写在分配里", (_PRICE, *PRICED, *RECURRING, *BOUNDS)),
    Method("fixed", "固定金额", "每户一样多", (Field("price", "金额（元）", "price"), *PRICED, *RECURRING, *BOUNDS)),
    Method("daily", "按天", "单价 × 天数，起止两天都算", (Field("price", "单价（元/天）", "price"), *BOUNDS[1:])),
    Method("metered", "按表", "（本次读数 − 上次读数）× 倍率 × 单价", (_PRICE, *BOUNDS[1:]), True),
    Method(
        "tiered",
        "按表分档（阶梯）",
        "用得越多单价越高，每一档按自己的价",
        (
            Field(
                "tiers",
                "各档",
                "tiers",
                help="每行一档：“上限 单价”，例如 180 2.80；最后一档只写单价，没有上限。上限那一度算在本档",
            ),
            Field(
                "tier_period",
                "阶梯按月还是按年",
                "choice",
                options=(
                    ("month", "按月：一次抄几个月，各档上限乘几", "每月 15 吨一档，两个月抄一次，30 吨内一档价"),
                    ("year", "按年：从年度起点累计，到期归零", "每年 180 吨一档，10 月累计到 180 吨以后进二档"),
                ),
            ),
            Field("tier_year_from", "年度从哪天起", "month_day", help="月-日，例如 01-01", when=("tier_period", "year")),
            Field("standard_headcount", "标准人数", "whole", need=False, help="超过这个人数的家庭各档放宽；不放宽就不填"),
            Field("extra_per_person", "每多一人各档加多少", "number", need=False),
            *BOUNDS[1:],
        ),
        True,
    ),
    Method(
        "time_of_use",
        "峰谷平",
        "各时段用量 × 各时段单价",
        (Field("bands", "时段和单价", "bands", help="每行一个时段：“名称 单价”，例如 峰 1.05"), *BOUNDS[1:]),
        True,
    ),
    Method(
        "apportioned",
        "公摊",
        "一笔总数按面积、户数或用量分到各户，分完一分不差",
        (
            Field(
                "total",
                "总数从哪来",
                "choice",
                options=(
                    ("amount", "直接录金额", "电梯电费这个月 3,200.00 元"),
                    ("master_less_subs", "总表减去各分表，再乘单价", "总表 8,000 度，分表合计 7,400 度，分 600 度"),
                ),
            ),
            Field("price", "单价（元）", "price", help="总表减分表才用", when=("total", "master_less_subs")),
            Field(
                "weight",
                "按什么分",
                "choice",
                options=(
                    ("area", "按面积", "100 ㎡的分 50 ㎡的两倍"),
                    ("unit", "按户平均", "100 户每户 1/100"),
                    ("usage", "按各户用量", "用 20 度的分用 10 度的两倍"),
                    ("floor_area", "面积 × 楼层系数", "一楼系数 0，不分电梯电费"),
                    ("occupied_area", "面积 × 当期住的天数", "月中搬来的只分半个月"),
                ),
            ),
            Field("area_kind", "用哪种面积", "choice", options=_AREAS, when=("weight", "area|floor_area|occupied_area")),
            *BOUNDS[1:],
        ),
        True,
    ),
    Method(
        "percentage",
        "按另一项的百分比",
        "例如污水处理费按水费的 30%",
        (
            Field("of_item", "按哪一项", "item"),
            Field("rate", "比例", "share", help="30% 写 0.3，按那一项打折前的金额算"),
            *BOUNDS[1:],
        ),
        True,
    ),
    Method(
        "rent",
        "租金",
        "月租或每平方米租金，每满一年递增",
        (
            Field("price", "租金（元/月，或元/㎡·月）", "price"),
            Field(
                "rent_of",
                "租金按整个铺面还是按面积",
                "choice",
                options=(
                    ("area", "按面积：单价 × 面积", "120 元/㎡·月，80 ㎡，月租 9,600 元"),
                    ("contract", "按整个铺面：写的就是月租", "月租 9,600 元"),
                ),
            ),
            Field("area_kind", "用哪种面积", "choice", options=_AREAS, when=("rent_of", "area")),
            Field("step", "每年递增", "number", help="5% 写 0.05；不递增写 0。每个合同年的月租先四舍五入到分"),
            *RECURRING,
        ),
    ),
    Method(
        "turnover",
        "营业额抽成",
        "保底租金和营业额 × 比例，取高的",
        (
            Field("base_fen", "每期保底（元）", "money", help="没有保底写 0"),
            Field("rate", "抽成比例", "share", help="8% 写 0.08"),
            Field(
                "settlement",
                "几个月结一次",
                "choice",
                options=(
                    ("month", "按月结", "每月比一次"),
                    ("quarter", "按季结", "三个月加在一起比一次"),
                    ("half_year", "按半年结", "六个月加在一起比一次"),
                    ("year", "按年结", "全年加在一起比一次"),
                ),
            ),
        ),
        True,
    ),
    Method(
        "season",
        "采暖：按面积",
        "面积 × 每平方米每季的价，一季一笔",
        (
            AREA,
            Field("price", "单价（元/㎡·季）", "price"),
            *_SEASON,
            Field(
                "season_change",
                "供暖季延长或缩短",
                "choice",
                options=(
                    ("keep", "不多收也不退", "延长 5 天，不加钱"),
                    ("adjust_days", "按天数多退少补", "121 天的季延长 5 天，补 5/121"),
                ),
            ),
            Field("stop_deadline", "停暖申请截止日", "month_day", need=False, help="不许停暖就不填"),
            Field("stop_share", "停暖收多少", "share", need=False, help="基础热费比例，例如 0.3"),
            *BOUNDS[:1],
        ),
    ),
    Method(
        "two_part_heat",
        "采暖：两部制",
        "基础热费按面积，用热按热表，季末和预收结算",
        (
            AREA,
            Field("price", "单价（元/㎡·季）", "price"),
            Field("base_share", "基础热费比例", "share", help="30% 写 0.3"),
            Field("heat_price", "热价（元/单位）", "price"),
            *_SEASON,
            Field(
                "settlement",
                "和预收怎么结",
                "choice",
                options=(("both", "多退少补", "用热超过预收的要补"), ("return_only", "多退少不补", "用热超过预收的不再收")),
            ),
        ),
        True,
    ),
    Method(
        "formula",
        "自定公式",
        "用面积、单价、月数、天数、楼层系数、人数写算式",
        (
            Field("formula", "公式", "text", help="例如 area * price * months * max(1, floor_factor)"),
            Field("price", "单价（元）", "price", need=False, help="公式里用了 price 才填"),
            Field("area_kind", "用哪种面积", "choice", need=False, options=_AREAS),
            *RECURRING,
            *BOUNDS[1:],
        ),
    ),
    Method("one_off", "临时收费", "办一次收一次，例如装修垃圾清运", (Field("price", "金额（元）", "price"),)),
    Method(
        "deposit",
        "押金",
        "收了要退，不算收入",
        (
            Field(
                "deposit_of",
                "押金怎么定",
                "choice",
                options=(("amount", "固定金额", "装修押金 2,000 元"), ("months_of_rent", "几个月租金", "三个月租金")),
            ),
            Field("price", "金额（元）", "price", when=("deposit_of", "amount")),
            Field("months", "几个月", "number", when=("deposit_of", "months_of_rent")),
        ),
    ),
)
METHODS: Mapping[str, Method] = {one.code: one for one in _LIST}
