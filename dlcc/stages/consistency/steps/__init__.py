"""Steps of the run's own code, done again in the sandbox."""
