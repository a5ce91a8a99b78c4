"""Cache: what cells share. Decoded frames and the tower's output, made once, kept in memory and on disk."""
