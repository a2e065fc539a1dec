"""Learning of a controller from runs that were controlled at random."""
