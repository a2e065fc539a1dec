"""A recipe family of one's own: draws on a line drift towards a Gaussian."""
