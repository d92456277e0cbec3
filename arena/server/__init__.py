"""The ASGI app, and a socket that it is served on."""
