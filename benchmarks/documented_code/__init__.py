"""Documentation with formulas beside the code that it is of: cases whose links are known."""
