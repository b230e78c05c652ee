"""The limiter, room by room, in simulated time."""
