"""Controllers: what acts on a live training, within bounds, and takes back what did not help."""
