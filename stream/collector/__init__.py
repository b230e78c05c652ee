"""What `skustream gc` does: find the assets that no manifest shows, and delete them when a person says so."""
