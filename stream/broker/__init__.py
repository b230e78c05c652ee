"""Kafka's door. One thread owns a link: its consumer and its producer; nobody else may call them."""
