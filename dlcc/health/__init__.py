"""Health of a training as figures: run features, samples against data, P(good), and its words."""
