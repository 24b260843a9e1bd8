"""The vibe memory: likes and dislikes in one JSON file, and the score that a new picture gets from them.

entries     what is remembered                    pictures, encoding   pictures → vectors
formats     contents → text                       scorer, laplace      vectors → scores
parsing     text → contents, with complaints      taste                memories → scores with reasons
store       the file: lock, .bak, repair          memory               all of it: VibeMemory (start there)
exchange    import, export, folders, profiles     report, analytics    calibration, and a picture of the taste
"""
