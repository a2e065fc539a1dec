"""What a controller can learn from runs that were controlled at random."""
