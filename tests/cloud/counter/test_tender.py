"""Change, for any mix of tenders (Q-62, C-03)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloud.counter.domain import Offer, tender
from protocols.errors import Refused

METHODS = ("pos", "transfer", "cheque", "wechat", "alipay")
amounts = st.integers(1, 10**10)
offers = st.tuples(
    st.lists(st.builds(Offer, st.just("cash"), amounts), max_size=1),
    st.lists(st.builds(Offer, st.sampled_from(METHODS), amounts, st.just("ref")), max_size=4),
).map(lambda pair: tuple(pair[0] + pair[1]))


@given(amounts, offers)
def test_what_stays_is_what_was_owed_and_change_never_exceeds_the_cash(payable, offered):
    given_ = sum(offer.tendered_fen for offer in offered)
    cash = sum(offer.tendered_fen for offer in offered if offer.method == "cash")
    try:
        tenders, change = tender(payable, offered)
    except Refused as refused:
        assert refused.code == ("tendered_too_little" if given_ < payable else "change_exceeds_cash")
        assert given_ < payable or given_ - payable > cash
        return
    assert sum(one.amount_fen for one in tenders) == payable
    assert 0 <= change <= cash
    assert all(one.amount_fen == one.tendered_fen for one in tenders if one.method != "cash")
    assert change == given_ - payable
