"""Engine: where work runs. Today: supervised processes on this machine."""
