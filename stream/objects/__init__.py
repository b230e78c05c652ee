"""The store's door: immutable assets for the CDN, and small documents changed under a condition."""
