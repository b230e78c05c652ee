"""The contract: what a PIM may publish and what it gets back, as AsyncAPI and JSON Schema, from the models."""
