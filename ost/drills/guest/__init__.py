"""`ost drill guest`: months of guest dosing with everything that goes wrong, and what must never be seen in them."""
