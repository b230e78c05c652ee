"""The console: a web page for whoever looks at pictures and letters."""
