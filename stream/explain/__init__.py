"""One SKU's story, told from the topics and the ledger."""
