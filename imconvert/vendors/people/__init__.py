"""What all vendors share about people and groups: saved pages as source, lines and batches as target.

Plan: a vendor's list APIs are described as `Page`s; a page becomes records of one item each, and these nouns. A target
puts each noun into lines of its streams, gathered by owner or group behind the sort and made into calls there.
"""
