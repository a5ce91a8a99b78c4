"""KV eviction: which tokens of a prefilled video each layer keeps, before they are packed; one rule a file."""
