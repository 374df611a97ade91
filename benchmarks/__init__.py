"""Measure what the product promises, as ratios within one run (`make bench`)."""
