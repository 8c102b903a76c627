"""The service in the box: a real HTTP server on loopback that needs no key and no download."""

__all__: list[str] = []
