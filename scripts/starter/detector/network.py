"""The starter's GroundingDINO: transformers' port in a small configuration that starts where it learns soon.

The architecture is the port's own, unchanged. What is set here are sizes, and starting values: text features
start small and carry a prior, so that every score starts near 2 % (focal loss, Lin et al. 2017) although the
contrastive head has no bias; fusion starts open; first proposals start as large as characters are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import BertConfig, GroundingDinoConfig, GroundingDinoForObjectDetection, SwinConfig

from scripts.starter.detector.words import SIZE

WIDTH = 128
LONGEST_TEXT = 128  # tokens
QUERIES = 24
TEXT_SCALE = 0.15
PRIOR = -4.0  # logit of every score at the start
VISION_BIAS = 0.3
FUSION = 0.3
PROPOSAL = 2.0  # added to the logit of width and height of first proposals: from 5 and 10 % to 28 and 45 %


def small_config(**changes: Any) -> GroundingDinoConfig:
    """The starter's configuration; `changes` for still smaller ones."""
    swin: Any = SwinConfig
    backbone = swin(
        image_size=224, patch_size=16, embed_dim=96, depths=[2, 4], num_heads=[2, 4], window_size=7,
        drop_path_rate=0.0, mlp_ratio=4.0, out_indices=[1, 2],
    )  # fmt: skip
    text = BertConfig(
        vocab_size=SIZE, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=4, intermediate_size=256,
        max_position_embeddings=LONGEST_TEXT, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    sizes: dict[str, Any] = {
        "backbone_config": backbone, "text_config": text, "num_queries": QUERIES, "d_model": WIDTH,
        "encoder_layers": 1, "encoder_ffn_dim": 256, "encoder_attention_heads": 4, "encoder_n_points": 2,
        "decoder_layers": 2, "decoder_ffn_dim": 256, "decoder_attention_heads": 4, "decoder_n_points": 4,
        "num_feature_levels": 2, "max_text_len": LONGEST_TEXT, "dropout": 0.0, "fusion_droppath": 0.0,
    }  # fmt: skip
    return GroundingDinoConfig(**sizes | changes)


def fresh_detector(config: GroundingDinoConfig | None = None) -> GroundingDinoForObjectDetection:
    """A new detector with starting values for quick learning, in float32."""
    detector: Any = GroundingDinoForObjectDetection(config or small_config())
    model = detector.model
    signs = torch.randint(0, 2, (model.config.d_model,)).float() * 2 - 1
    with torch.no_grad():
        text = model.encoder.layers[-1].text_enhancer_layer.layer_norm_after
        nn.init.constant_(text.weight, TEXT_SCALE)
        text.bias.copy_(signs * PRIOR / (VISION_BIAS * len(signs)))
        for norm in (model.enc_output_norm, *(layer.final_layer_norm for layer in model.decoder.layers)):
            norm.bias.copy_(signs * VISION_BIAS)
        model.encoder_output_bbox_embed.layers[-1].bias[2:] = PROPOSAL
        for layer in model.encoder.layers:
            for scale in (layer.fusion_layer.vision_param, layer.fusion_layer.text_param):
                nn.init.constant_(scale, FUSION)
    return detector
