"""What an outsider brings to DLCC."""
