"""How good models are: scores, comparisons, tables and figures."""
