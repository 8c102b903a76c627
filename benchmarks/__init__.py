"""What nbconvo costs and how well it keeps to limits, beside its peers: ``python -m benchmarks``.

A table is a module with one function ``measure(rounds) -> Table``. Servers and clients run in
processes of their own; the clients of a table take turns, round by round, and what is compared
is the CPU time of their processes within one run.
"""
