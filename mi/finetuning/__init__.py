"""Fine-tuning jobs: launched once, known by their content, found again."""
