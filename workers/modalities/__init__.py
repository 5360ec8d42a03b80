"""One file per modality: decode, feature groups, baselines."""
