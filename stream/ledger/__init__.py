"""The ledger's door: which job is claimed, accepted, settled; and which event is the newest known of its image."""
