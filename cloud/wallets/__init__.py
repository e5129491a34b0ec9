"""Prepayments (预存) and deposits (押金): money held for owners."""
