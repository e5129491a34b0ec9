"""The exchange between box and hub (DESIGN section 2): event lines, batches, acknowledgements, documents, commands."""
