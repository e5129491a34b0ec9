"""The parking tariff: rules as data -> an explained quote (REQUIREMENTS 22.8). Pure; the same on hub, box and phone.

    rules = parse_rules({
        "id": "casual-2026", "version": 3, "title": "地面临停", "free_once_per_day": False,
        "table": {"free_minutes": 15, "free_mode": "from_entry", "free_after_pass": False,
                  "step_minutes": 60, "step_fen": 500, "cap_24h_fen": 4000},
        "prepay": {"free_exit_minutes": 15, "overstay": "difference"},
    })
    price = quote(rules, Stay(entry=entered, exit=left, vehicle_class="small"), calendar=calendar)
    price.fee_fen, price.due_fen, price.lines, price.to_json()
"""

from protocols.tariff.engine import quote
from protocols.tariff.groups import GroupCar, quote_group
from protocols.tariff.quotes import CouponUse, Quote, Row
from protocols.tariff.rules import TariffRules, in_force, parse_rules
from protocols.tariff.stay import Calendar, Coupon, PassDays, Prepaid, Stay, covered_days, parse_calendar
from protocols.tariff.visits import quote_visits
from protocols.tariff.zones import NestedQuote, quote_nested

__all__ = [
    "Calendar",
    "Coupon",
    "CouponUse",
    "GroupCar",
    "NestedQuote",
    "PassDays",
    "Prepaid",
    "Quote",
    "Row",
    "Stay",
    "TariffRules",
    "covered_days",
    "in_force",
    "parse_calendar",
    "parse_rules",
    "quote",
    "quote_group",
    "quote_nested",
    "quote_visits",
]
