"""GGUF, made here: weights in, a quantized file out, on whatever device torch has, without a compiler.

levels.py      the block types and levels there are: names, sizes, numbers
affine.py      search for the formats with minima: Q2_K, Q4_K, Q5_K
symmetric.py   search for the formats without: Q3_K, Q6_K
plain.py       the formats without a search: Q8_0, Q5_1, Q5_0, Q4_1, Q4_0
packing.py     whole numbers become ggml's bytes
kquants.py     a tensor becomes the bytes of a block type, in bounded memory
sources.py     tensors of safetensors files, shards and folders, one at a time
gguf_source.py tensors of GGUF files
rules.py       which tensor gets which block type and which name
writing.py     a GGUF file written tensor by tensor, resumable, complete or absent
imatrix.py     how much each column matters
convert.py     all of it, from a source to a file: what run.py quantize does

Nothing here knows of stories, panels or the run: only `model.errors` and `model.files` are imported.
"""
