"""Sphinx's settings for the site."""

from __future__ import annotations

project = "infograd"
html_title = "infograd"
copyright = "the authors of infograd; code BSD-3-Clause, prose and figures CC BY 4.0"
language = "en"
extensions = ["myst_nb", "grading.site.extension"]
root_doc = "index"

nb_execution_mode = "off"  # the notebooks are executed already
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # sliders need a kernel; without them no script is loaded from afar
nb_merge_streams = True
nb_code_prompt_show = "Show the answer"
nb_code_prompt_hide = "Hide the answer"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4
myst_heading_slug_func = "grading.site.extension.slug"
html_math_renderer = "mathml"

html_theme = "furo"  # light and dark as the system is, and narrow screens
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
suppress_warnings = ["myst.header"]  # a page may begin below the first level
