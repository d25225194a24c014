"""What a column computes. Pure: no sockets, no event loop, no Ray."""
