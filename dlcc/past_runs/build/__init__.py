"""Building of a library: settings are drawn, trained and judged, and the runs put together."""
