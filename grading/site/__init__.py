"""The course as a static site, made by Sphinx and MyST-NB from the files that are here."""
