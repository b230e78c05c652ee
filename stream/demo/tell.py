"""The demo's last words: totals, failures with their reasons, and where to look."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stream.demo.report import Summary


def tell(console: Console, summary: Summary, out: Path) -> None:
    """Print the totals of a run."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in (
        ("total", str(summary.total)),
        ("success", str(summary.success)),
        ("failed", str(summary.failed)),
        ("success rate", f"{summary.success_rate:.1%}"),
        ("credits spent", f"{summary.credits:,f}"),
        ("submits sent", str(summary.submits)),
        ("requests sent", str(summary.requests)),
        ("seconds", f"{summary.seconds:.1f}"),
    ):
        table.add_row(name, value)
    console.print()
    console.print(table)
    for sku_id, reason in summary.failed_skus.items():
        console.print(f"[red]failed[/red] {escape(sku_id)}: {escape(reason)}")
    if summary.reused:
        console.print(
            "Nothing was bought: every asset and every verdict was already paid for and is reused (submits 0)."
        )
    console.print()
    console.print(f"contact sheet  {out / 'report.html'}", soft_wrap=True)
    console.print(f"totals         {out / 'summary.json'}", soft_wrap=True)
    console.print(f"assets         {out / 'store'}", soft_wrap=True)
    if not summary.reused:
        console.print("Run it again: nothing is bought twice. Stay up for a second terminal: skustream demo --serve")


def tell_serving(
    console: Console, bootstrap_servers: str, api_base: str, health_url: str, store: str, batch_id: str
) -> None:
    """Print the addresses of what stays up."""
    console.print()
    console.print("Staying up until Ctrl-C. In a second terminal:")
    console.print(f"  export KAFKA_BOOTSTRAP_SERVERS={bootstrap_servers}", soft_wrap=True)
    console.print(f"  export SKUSTREAM_STORE={store}", soft_wrap=True)
    console.print(f"  export PIXELAPI_BASE={api_base}", soft_wrap=True)
    console.print(f"  skustream status --batch {batch_id}")
    console.print(f"  curl {health_url}/metrics     # also /livez and /readyz", soft_wrap=True)
    console.print("The embedded broker delivers at least once and forgets everything when this command ends.")
