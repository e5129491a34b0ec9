"""What two parties must agree on: pure data, rules and wire formats. No I/O, no clock, no globals."""
