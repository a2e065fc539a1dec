"""Autoencoders of a cube, plain, noisy and variational."""
