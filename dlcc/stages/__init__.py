"""Stages, the evaluators: each turns a case and a context into a result; none knows another."""
