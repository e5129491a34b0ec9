"""The fee calculator (REQUIREMENTS 3, 4, 22.1-22.7): rules and facts in, explained lines out. No I/O, no clock, no float."""
