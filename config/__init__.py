"""Settings, policy packs and deployment files."""
