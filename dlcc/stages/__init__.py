"""The evaluators. Each takes a case and a context and gives a result; none knows another."""
