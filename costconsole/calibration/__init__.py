"""Thresholds with evidence: what a threshold would have done, and how sure that is.

numpy and scipy are imported inside functions: nothing here is on the way to the first paint.
"""
