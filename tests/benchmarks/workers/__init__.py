"""One process each: they import their own library, NumPy and what is beside them, and answer line by line."""
