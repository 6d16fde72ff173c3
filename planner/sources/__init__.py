"""What brokers and catalogues say: one file per feed, each with a fetch (bytes) and a parse (claims)."""
