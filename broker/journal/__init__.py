"""The journal: records in a dense order per account, hash-chained, durable. Interfaces in ``base``."""
