"""The door for foreign bytes: photos of the PIM and results of PixelAPI, guarded, bounded and checked."""
