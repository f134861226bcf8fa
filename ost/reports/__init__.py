"""Reports as documents of their own: HTML that carries everything in itself, and PDF made of it."""
