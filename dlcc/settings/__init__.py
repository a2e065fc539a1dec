"""Settings of a training: nested configurations, and what their keys mean."""
