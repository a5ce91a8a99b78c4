"""Configuration: one folder per group, one YAML per option. A package only so that the wheel can carry it."""
