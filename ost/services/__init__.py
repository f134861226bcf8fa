"""One verb per file: opens the transaction, gathers facts, asks a rule, writes.

Services return plain data; they know nothing of HTTP, pages or languages.
"""
