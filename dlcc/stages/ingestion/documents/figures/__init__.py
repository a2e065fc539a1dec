"""Reader of figures: the frame and its ticks by pixels, labels by OCR, curves by their colour."""
