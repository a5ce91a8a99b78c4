"""Attention KL: how far a modified model's attention is from a reference's, streamed block by block, never N x N."""
