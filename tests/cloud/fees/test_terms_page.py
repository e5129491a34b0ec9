"""Terms and offers in their forms: full sentences, nothing chosen silently, their meaning while typing (T-01, Q-09, Q-45)."""

from __future__ import annotations

import pytest

from cloud.fees import service as fees
from cloud.fees.calculator.term import parse_term
from cloud.fees.catalogue import terms
from cloud.fees.rules_form import read_rules
from cloud.fees.saying import typed, words_of
from cloud.fees.term_form import LATE, WHEN, late_words, read_term, typed_term, words_of_term
from cloud.shared.forms import Form
from tests.cloud.fees.test_pages_fees import AREA, manager
from tests.cloud.fees.test_second_person import rows
from tests.cloud.fees.test_standards import TERM
from tests.support.money import EAST

__all__ = ["manager"]
TYPED = {
    "name": "按季，逾期万分之五", "cycle": "3", "alignment": "natural", "billed": "advance", "offset_days": "-5",
    "due_rule": "nth_day", "due_day": "15", "late": "yes", "daily": "5", "grace_days": "10", "grace_mode": "after_grace",
    "capped": "yes", "cap": "100", "project": "11", "key": "term-key-01",
}  # fmt: skip


def test_a_form_becomes_the_term_that_the_calculator_knows():
    """T-01 .. T-05"""
    term = read_term(Form(TYPED))
    assert term == parse_term(
        TERM | {"every": 3, "offset_days": -5, "late": TERM["late"] | {"grace_days": 10}}  # type: ignore[operator]
    )
    assert late_words(term) == "每天万分之 5，宽限 10 天后起算，最多为本金的 100%"


@pytest.mark.parametrize("rules", [TERM, *(rules for _, rules in terms().values())])
def test_a_term_is_typed_again_and_is_the_same(rules):
    """A new one starts from an old one: form -> term -> form"""
    term = parse_term(rules)
    assert read_term(Form(typed_term(term))) == term and len(words_of_term(term)) >= 4


def test_no_choice_is_made_silently():
    """Q-09: an empty form is asked for everything; a late fee for its start and its cap"""
    form = Form()
    assert read_term(form) is None
    assert {"cycle", "billed", "due_rule", "late"} <= set(form.errors)
    late = Form(TYPED | {"daily": "", "grace_mode": "", "capped": "", "grace_days": ""})
    assert read_term(late) is None and {"daily", "grace_mode", "capped", "grace_days"} <= set(late.errors)
    assert all(one.options and all(example for _, _, example in one.options) for one in (*WHEN, *LATE) if one.kind == "choice")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"daily": "0"}, "daily"), ({"daily": "-1"}, "daily"), ({"daily": "五"}, "daily"), ({"cap": "0"}, "cap"),
        ({"grace_days": "99999"}, "grace_days"), ({"cycle": "n", "every": "25"}, "every"), ({"cycle": "n"}, "every"),
        ({"due_rule": "fixed_date", "due_on": "13-40"}, "due_on"), ({"due_day": "0"}, "due_day"),
        ({"offset_days": "400"}, "offset_days"),
        ({"cycle": "fortnight"}, "cycle"),
    ],
)  # fmt: skip
def test_what_is_no_term_is_said_at_its_field(more, field):
    form = Form(TYPED | more)
    assert read_term(form) is None and field in form.errors, form.errors


async def test_the_late_fee_of_a_bill_stands_beside_the_form(manager):
    """Q-51, Q-53: 1,000 yuan due on 15 January; nothing on the last day of grace, 0.50 on the next"""
    page = (await manager.get("/fees/terms/new?at=p11")).text
    assert "从宽限期满的第二天起算" in page and "15 日到期，宽限 10 天，26 日缴：算 1 天" in page and " checked" not in page
    shown = (await manager.get("/fees/terms/try", params=TYPED)).text
    assert shown.count("<details") == 5 and "在宽限期内" in shown and "1,000.00 × 0.05% × 1 天" in shown
    assert "还差 1 处" in (await manager.get("/fees/terms/try", params=TYPED | {"grace_mode": ""})).text
    assert "不收违约金" in (await manager.get("/fees/terms/try", params=TYPED | {"late": "no"})).text


async def test_a_term_is_added_once_and_none_is_overwritten(hub, manager):
    """C-06, T-01: another rule is another term, and what was billed by the first stays"""
    wrong = await manager.post("/fees/terms/new", data=TYPED | {"grace_mode": ""})
    assert wrong.status_code == 422 and 'value="按季，逾期万分之五"' in wrong.text
    for _ in range(2):
        assert (await manager.post("/fees/terms/new", data=TYPED)).status_code == 303
    kept = await rows(hub, "SELECT id, name, rules FROM fee_terms")
    assert len(kept) == 1
    page = (await manager.get("/fees/terms?at=p11")).text
    assert "每天万分之 5，宽限 10 天后起算" in page and "照着建" in page
    form = (await manager.get(f"/fees/terms/new?at=p11&from={kept[0]['id']}")).text
    assert 'value="after_grace" checked' in form and "照着“按季，逾期万分之五”" in form
    same = await manager.post("/fees/terms/new", data=TYPED | {"daily": "3", "key": "term-key-02"})
    assert same.status_code == 422 and "已经有了，换个名称" in same.text
    assert (
        await manager.post("/fees/terms/new", data=TYPED | {"name": "万分之三", "daily": "3", "key": "term-key-02"})
    ).status_code == 303
    after = await rows(hub, "SELECT id, name, rules FROM fee_terms ORDER BY id")
    assert after[0] == kept[0] and len(after) == 2
    stranger = manager.another()
    await stranger.log_in("project_manager", project=21)
    assert "万分之三" not in (await stranger.get("/fees/terms?at=p21")).text


OFFERS = AREA | {"offers": "6 2.5%\n12 免1期", "termination": "reprice", "room": "1-1-101"}


def test_offers_are_read_said_and_typed_again():
    """Q-45, Q-46"""
    rules = read_rules(Form(OFFERS))
    assert rules is not None
    assert dict(words_of(rules))["预缴优惠"] == "预缴满 6 期减 2.5%；预缴满 12 期免最后 1 期"
    assert read_rules(Form(typed(rules))) == rules
    for text, words in (
        ("12", "第 1 行没看懂"),
        ("12 五折", "第 1 行没看懂"),
        ("1 免2期", "不能多于"),
        ("6 2%\n6 3%", "写了两遍"),
    ):
        form = Form(OFFERS | {"offers": text})
        assert read_rules(form) is None and any(words in one for one in form.errors.values()), (text, form.errors)
    open_ended = Form(OFFERS | {"termination": ""})
    assert read_rules(open_ended) is None and "termination" in open_ended.errors


async def test_what_an_offer_saves_stands_beside_the_form(hub, manager):
    """Q-45: six quarters of 679.41 yuan less 2.5 %, twelve with the last one free"""
    shown = (await manager.get("/fees/try", params=OFFERS)).text
    assert "预缴 6 期" in shown and "预缴 12 期" in shown and "免最后 1 期" in shown
    made = await manager.post("/fees/new", data={name: value for name, value in OFFERS.items() if name != "room"})
    assert made.status_code == 303, made.text[-300:]
    async with hub.db.tx(EAST) as tx:
        version = (await fees.versions(tx, 11))[0]
    assert len(version.rules.offers) == 2
    page = (await manager.get(f"{made.headers['location']}/version")).text
    assert "12 免1期" in page and 'value="reprice" checked' in page
