"""Notifications of object stores on an entry topic: "an object was created" read as raw-image events."""
