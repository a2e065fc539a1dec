"""From terms to one judgement: weights, V, HyperScore, and the calibrated P(healthy).

Scoring knows estimates and nothing of stages.
"""
