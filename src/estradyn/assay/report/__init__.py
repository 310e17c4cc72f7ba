"""Report of an analysed assay: figures, tables and sentences on one page."""
