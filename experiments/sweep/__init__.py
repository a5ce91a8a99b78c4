"""The sweep: many cells as one job - planned, spread over worker processes, watched, resumed."""
