"""Made-up products with a known truth: users, events, and what a correct analysis must find in them."""
