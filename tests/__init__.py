"""Everything that must be true of skustream, counted outside the worker."""
