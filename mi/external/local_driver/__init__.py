"""Any `transformers` causal language model on this machine: training, sampling, log-probabilities."""
