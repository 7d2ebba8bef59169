"""Settings, arms and experiments as values, and the pipeline that runs them."""
