"""Past runs with known outcomes, and what can be learnt from them."""
