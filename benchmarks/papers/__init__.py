"""Papers that are made with known content, to be read back: content, and makers of each format."""
