"""Rules that hold for every history, searched by hypothesis."""
