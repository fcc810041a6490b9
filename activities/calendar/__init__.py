"""Which days are working days in mainland China: a kept data source, and our own word where it has none yet."""
