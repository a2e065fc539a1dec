"""Where past runs come from: settings drawn, trained, judged, and put together to a library."""
