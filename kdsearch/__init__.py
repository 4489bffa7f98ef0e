"""kdsearch: distributed search over knowledge-distillation recipes."""

__version__ = "0.1.0"
