"""What every LLM offer costs, what it does with your data, and which one keeps your margin."""

__version__ = "0.1.0"
