"""The commands: the only room a person walks into. See main.py."""
