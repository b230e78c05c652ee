"""What others wrote and we ship: known holes in it (`audit`), a bill of it (`sbom`), and the threats table, checked."""
