"""Review in the browser: a local page that shows evidence first and the verdict after."""
