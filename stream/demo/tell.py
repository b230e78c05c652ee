"""The demo's last words: totals, failures with their reasons, and where to look."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stream.demo.report import Summary


def tell(console: Console, summary: Summary, out: Path, command: str) -> None:
    """Print the totals of a run; `command`: how to call us again, empty where we stay."""
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
    if not command:
        return
    if not summary.reused:
        console.print("Run it again: nothing is bought twice.")
    console.print("See why photos failed, and put one back, in a second terminal:")
    console.print(f"  {command} demo --serve", soft_wrap=True, markup=False)
