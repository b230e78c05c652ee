"""PixelAPI's door: one HTTP request per call, foreign answers in, our few words out."""
