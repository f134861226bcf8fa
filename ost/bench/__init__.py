"""Measurements and drills on real servers: what `ost bench` and `ost drill` run."""
