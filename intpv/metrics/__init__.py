"""What is computed from answers: pure functions of records, most without torch."""
