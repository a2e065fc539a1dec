"""Debate over a verdict: arguments, attacks between them, and what stands at the end."""
