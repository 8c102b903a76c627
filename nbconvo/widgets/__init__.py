"""What the page runs: widgets that get what changed. Import a module of it only to open one."""

__all__: list[str] = []
