"""Telling people: an outbox filled in the transaction that made the news, emptied by the scheduler."""
