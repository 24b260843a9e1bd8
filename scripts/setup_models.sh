#!/usr/bin/env bash
# Fetches common sets of weights from the hub; what is here already stays. Further words go to run.py download.
#
#   scripts/setup_models.sh small    Stable Diffusion 1.5 with IP-Adapter Plus, and the judge's networks: about 6.5 GB
#   scripts/setup_models.sh sdxl     Stable Diffusion XL with IP-Adapter Plus, and the judge's networks: about 12 GB
#   scripts/setup_models.sh flux     Flux schnell as GGUF Q4_K_S with Redux, and the judge's networks: about 20 GB; gated, needs HF_TOKEN
#   scripts/setup_models.sh eyes     the judge's networks alone: GroundingDINO, SAM and CLIP
#   scripts/setup_models.sh all      the first three, and Flux dev and Kontext in full
#
# Uses .venv if scripts/quickstart made one, otherwise the python on PATH.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
PYTHON=python
for place in "$ROOT/.venv/bin/python" "$ROOT/.venv/Scripts/python.exe"; do
    if [ -x "$place" ]; then PYTHON="$place"; fi
done

fetch() { "$PYTHON" "$ROOT/run.py" download "$@"; }

set_of_weights="${1:-}"
[ $# -eq 0 ] || shift
case "$set_of_weights" in
    small) fetch sd15plus grounding-dino sam clip "$@" ;;
    sdxl) fetch sdxlplus grounding-dino sam clip "$@" ;;
    flux) fetch flux-schnell --gguf Q4_K_S "$@" && fetch grounding-dino sam clip "$@" ;;
    eyes) fetch grounding-dino sam clip "$@" ;;
    all)
        for name in small sdxl flux; do "${BASH_SOURCE[0]}" "$name" "$@"; done
        fetch flux-dev flux-kontext "$@"
        ;;
    *)
        echo "setup_models.sh: '$set_of_weights' is no set; use small, sdxl, flux, eyes or all" >&2
        exit 2
        ;;
esac
