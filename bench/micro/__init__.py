"""Small measurements of single pieces; each is run by itself."""
