"""The judge: a reader of panels that is not the model, trained on the drawn world alone.

scenes.py ─► sheets of labelled panels ─► wear.py, losses.py ─► train.py ─► weights.safetensors
judge.py: Judge.open().read(pictures) ─► TextCache (labels.py)      accuracy.py: how often it is right
"""
