"""Plain functions on plain data: what may be given, and why not.

Standard library only; imports nothing of ours but `ost.rules`. Nothing here
reads a clock, a database or a file: the caller hands in facts and the time.
"""
