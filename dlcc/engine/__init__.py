"""Engine: where work runs, in this process, in supervised ones, or on a cluster."""
