"""Ground floor: clock, errors, deadline. Imports nothing of ours; everybody may import it."""
