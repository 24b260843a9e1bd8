"""The studio: a page in the browser where a book is made by choosing and correcting.

`serve.py` starts it. A request is checked by `guard.py`, lands in a route of `routes/`, and either edits the
story (`books.py`, `edits.py`) or asks the queue (`queue.py`) for work, which `worker.py` does in a process of
its own through `Studio`. Nothing here draws, and nothing here imports torch.
"""
