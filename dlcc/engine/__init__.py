"""Where work runs. Today: supervised processes on this machine."""
