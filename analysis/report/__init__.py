"""Report: a sweep as one HTML file that opens from disk."""
