"""Provers of statements about losses: numbers refute, algebra and Z3 prove, Coq certifies."""
