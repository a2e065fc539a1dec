"""Maps between distributions in the plane."""
