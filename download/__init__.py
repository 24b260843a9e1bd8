"""Weights from the hub, whole or not at all.

    catalog   what exists: names, repositories, files, licences
    hub       what a repository holds, asked over the network; refusals in plain words
    cache     where files lie on this machine: the layout of huggingface_hub
    verify    whether what lies there is what it should be
    fetch     the files of a set, resumed, checked, in their places

In: names of the catalog. Out: folders that diffusers and transformers find by themselves. Knows model.errors
and model.files, and nothing of stories, panels or tensors.
"""
