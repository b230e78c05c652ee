"""The boards as files: `python -m tests.boards.paper`. A test compares them with what is made anew.

Goes out: deploy/grafana/dashboards, from which Grafana is provisioned, and the chart's copy.
"""

import json
from pathlib import Path

from tests.boards.catalog import CATALOG
from tests.boards.parts import document
from tests.boards.pipeline import PIPELINE

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
FOLDERS = (GRAFANA / "dashboards", ROOT / "helm" / "skustream" / "files" / "dashboards")
BOARDS = (PIPELINE, CATALOG)


def files() -> dict[Path, str]:
    """Every file with its content."""
    return {
        folder / f"{board.uid}.json": json.dumps(document(board), indent=1, ensure_ascii=False) + "\n"
        for folder in FOLDERS
        for board in BOARDS
    }


if __name__ == "__main__":
    for path, content in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
