"""The KV cache against other caches: fidelity, bytes, times."""
