"""Reader of PDF: glyphs and rules of each page, lines, formulas by their glyphs, tables, blocks.

A file from elsewhere is read in a process of its own, bounded in time and memory (`pdf_document`).
"""
