"""Models: how a checkpoint becomes a decoder, an encoder, a tokenizer and a prompt; one format a file."""
