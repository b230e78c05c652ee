"""The drawing table: shapes, light and paint come in, made-up product photos go out.

Nothing here is downloaded: silhouettes and labels are SVG, solids are lit through small pictures of a studio
(see `light`), and the camera's faults are added last (see `studio`).
"""
