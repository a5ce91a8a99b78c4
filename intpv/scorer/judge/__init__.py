"""The judge: a language model asked whether a free answer means the right one, by HTTP, kept on disk, counted."""
