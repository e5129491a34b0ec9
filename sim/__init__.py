"""A whole plant at the wire: vehicles, arms, loops, cameras, meters, payers and staff, from a seed."""
