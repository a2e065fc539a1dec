"""Charts as data, and how they are laid out: drawn by pages, notebooks and scripts alike."""
