"""Fine-tuning: torch, transformers and what else a model is made with; the extra `train`."""
