"""Recording trainings whose loop a framework runs: Lightning's, and Hugging Face's Trainer's."""
