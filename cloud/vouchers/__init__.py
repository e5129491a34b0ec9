"""Vouchers (凭证) for accounting software."""
