"""Formats that outlive a process, frozen as the bytes that each generation of skustream wrote. See README.md."""
