"""The authors' GroundingDINO weights under the names that transformers' port gives them.

Two implementations that give the same boxes from the same weights vouch for each other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

SWIN = "model.backbone.conv_encoder.model"
RENAMES = [
    (pattern, name)
    for pattern, name in {
        # the transformer's own
        r"^transformer\.tgt_embed": "model.query_position_embeddings",
        r"^transformer\.enc_out_bbox_embed": "model.encoder_output_bbox_embed",
        r"^transformer\.encoder\.text_layers\.(\d+)": r"model.encoder.layers.\1.text_enhancer_layer",
        r"^transformer\.encoder\.fusion_layers\.(\d+)": r"model.encoder.layers.\1.fusion_layer",
        r"^transformer\.encoder\.layers\.(\d+)": r"model.encoder.layers.\1.deformable_layer",
        r"^transformer\.": "model.",
        r"^bert\.": "model.text_backbone.",
        r"^feat_map\.": "model.text_projection.",
        r"^input_proj\.": "model.input_proj_vision.",
        # encoder layers
        r"(text_enhancer_layer)\.norm1": r"\1.layer_norm_before",
        r"(text_enhancer_layer)\.norm2": r"\1.layer_norm_after",
        r"(deformable_layer)\.norm1": r"\1.self_attn_layer_norm",
        r"(deformable_layer)\.norm2": r"\1.final_layer_norm",
        r"gamma_v": "vision_param",
        r"gamma_l": "text_param",
        r"layer_norm_v\b": "layer_norm_vision",
        r"layer_norm_l\b": "layer_norm_text",
        r"(fusion_layer\.attn\.(?:values_|out_)?)v_proj": r"\1vision_proj",
        r"(fusion_layer\.attn\.(?:values_|out_)?)l_proj": r"\1text_proj",
        # decoder layers
        r"(decoder\.layers\.\d+)\.norm1": r"\1.encoder_attn_layer_norm",
        r"(decoder\.layers\.\d+)\.norm2": r"\1.self_attn_layer_norm",
        r"(decoder\.layers\.\d+)\.norm3": r"\1.final_layer_norm",
        r"catext_norm": "encoder_attn_text_layer_norm",
        r"ca_text": "encoder_attn_text",
        r"cross_attn": "encoder_attn",
        r"decoder\.norm": "decoder.layer_norm",
        r"ref_point_head": "reference_points_head",
        r"linear(\d)": r"fc\1",
        # Swin
        r"^backbone\.0\.patch_embed\.proj": SWIN + ".swin.embeddings.patch_embeddings.projection",
        r"^backbone\.0\.patch_embed\.norm": SWIN + ".swin.embeddings.norm",
        r"^backbone\.0\.layers": SWIN + ".swin.encoder.layers",
        r"(swin.*)\.norm1": r"\1.layernorm_before",
        r"(swin.*)\.norm2": r"\1.layernorm_after",
        r"\.attn\.relative_position": ".attention.relative_position_bias.relative_position",
        r"(swin.*)\.attn\.proj": r"\1.attention.o_proj",
    }.items()
]


def for_port(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of the authors' model → one of the port."""
    converted: dict[str, Tensor] = {}
    for name, value in state.items():
        if "relative_position_index" in name or name.startswith("bert.pooler"):
            continue
        stage = re.match(r"^backbone\.0\.norm(\d)\.(.*)", name)
        if stage:
            converted[f"{SWIN}.hidden_states_norms.stage{int(stage[1]) + 1}.{stage[2]}"] = value
            continue
        for pattern, replacement in RENAMES:
            name = re.sub(pattern, replacement, name)
        if ".qkv." in name:
            before, kind = name.split(".attn.qkv.")
            names = [f"{before}.attention.{part}_proj.{kind}" for part in "qkv"]
        elif ".in_proj_" in name:
            before, kind = name.split(".in_proj_")
            names = [f"{before}.{part}.{kind}" for part in ("query", "key", "value")]
        else:
            names = [name]
        converted |= dict(zip(names, value.chunk(len(names)), strict=True))
    return converted
