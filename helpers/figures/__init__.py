"""The figures of the notebooks, one module for each topic. A figure function returns a matplotlib Figure."""
