"""Exchange: predictions in the files of other tools, read and written, so that each can score the other's."""
