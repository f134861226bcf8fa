"""A site that cannot dose: who is due there, where each goes, the permits for it, and the way back. One verb a file."""
