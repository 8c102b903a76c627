"""What a reader sees: replies that grow, and tables."""

__all__: list[str] = []
