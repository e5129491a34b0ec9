"""What headquarters watches: rules over what the slices publish, incidents, evidence (REQUIREMENTS 24)."""
