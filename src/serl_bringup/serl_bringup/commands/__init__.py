"""The parsers of the `serl` command's parts, a module each.

`add` adds one. Each imports what it needs when it runs: `serl --help` answers at once.
"""
