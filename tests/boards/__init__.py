"""The Grafana boards: described here, written to deploy/grafana by `python -m tests.boards.paper`, judged and run."""
