"""What happened: files and streams of usage, cost and revenue, read into events and items."""
