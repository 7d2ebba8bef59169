"""Our evaluations in Inspect, Inspect's tasks over our models, and our answers as Inspect's logs."""
