"""What all verbs share: the config, how a cell is built and run, what it says at its end."""
