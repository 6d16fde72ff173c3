"""Decisions and sums: exact money, dated prices, privacy rules and the search, without I/O, clock or SQL."""
