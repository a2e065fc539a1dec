"""Changes to a training that would mend it, each with its measured effect."""
