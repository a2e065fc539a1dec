"""Formulas of documents: what they say, as expressions."""
