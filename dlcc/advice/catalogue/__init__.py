"""Catalogue of known changes, one file for each sort of training that they are of."""
