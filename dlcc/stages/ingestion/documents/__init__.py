"""Readers of documents: one file a format, all to the same blocks and formulas."""
