"""The one exception a user is meant to read."""


class BadInput(ValueError):
    """Something the user gave cannot be used: one line that names the thing and both values.

    Entry points print the line alone and exit with 2; a traceback would only hide it.
    """
