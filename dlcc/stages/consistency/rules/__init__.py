"""Rules that a training must obey: of optimisers, batches, settings and averages of weights."""
