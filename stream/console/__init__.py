"""The console: a web page for the catalog team. Batches, pictures, letters, and replays with their price.

Comes in: a person's browser. Goes out: pages made from an index of the topics, pictures from our own store, and, only
where it is enabled, a replay or a discard. Read along the imports: `server` → `pages` → `index` ← `watching`.
"""
