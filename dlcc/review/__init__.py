"""Reviews by people: their history, what they move, and which run to look at next."""
