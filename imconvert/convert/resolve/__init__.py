"""Resolve: which lines of all parts stay. Keys meet by their hash; what is left out or renumbered is a drop."""
