"""Drills: the real server under what must never happen, with the counts behind the verdict."""
