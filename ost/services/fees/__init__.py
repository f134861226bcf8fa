"""What guest dosing costs, who pays it, and what one site owes another. No fee ever holds a dose."""
