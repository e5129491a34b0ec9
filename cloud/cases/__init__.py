"""Published calculation cases through the hub's own engines: `gatehouse-hub try` and `gatehouse-hub calc`."""
