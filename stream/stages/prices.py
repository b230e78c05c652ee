"""What an operation costs where an answer does not say. Sources disagree, so a price list is configuration."""

from collections.abc import Mapping
from decimal import Decimal

ARTICLE_PRICES: Mapping[str, Decimal] = {
    "remove-bg": Decimal(10),
    "replace-bg": Decimal(10),
    "upscale": Decimal(50),
    "add-shadow": Decimal(10),
}
"""Credits per job in "Automating E-Commerce Image Workflows with AI APIs", the article this project starts from."""
