"""PixelAPI's door, without a network."""
