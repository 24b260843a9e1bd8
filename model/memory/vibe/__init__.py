"""The vibe memory: likes and dislikes in one JSON file, and the score that a new picture gets from them.

entries     what is remembered                    pictures, encoding   pictures → vectors
formats     contents → text                       opinions, scorer     vectors → scores (laplace: the fit)
parsing     text → contents, with complaints      taste                memories → scores with reasons
salvage     a damaged text → what it still holds  notebook             what was said, on disk
store       the file: lock, .bak, repair          memory               all of it: VibeMemory (start there)
exchange    import, export, folders, profiles     report, analytics    calibration, and a picture of the taste
"""
