"""What the people on call have: series that stay few, rules that promtool accepts, alerts that ring and fall silent."""
