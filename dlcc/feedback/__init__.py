"""The loop back into the training: advice, live control, and reviews that move the score."""
