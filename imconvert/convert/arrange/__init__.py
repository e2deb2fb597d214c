"""Arrange: for targets that are loaded in time order, an external sort into buckets of whole conversations."""
