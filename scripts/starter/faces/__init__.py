"""The face judge's training: panels that the world drew beside panels that the model drew, and what tells
them apart.

panels.py ─► panels of both kinds, with their figures ─► heads.py ─► squares ─► train.py ─► config, weights
"""
