"""The pages on which nbgrader shows what learners wrote: formgrader's, and the feedback.

nbgrader's templates put Markdown, names and paths into their HTML as they come. Here all Markdown and all outputs go
through `grading.sanitise`, names and paths are escaped, and each page tells the browser which scripts are its own (W3C,
Content Security Policy Level 3): those of nbgrader's templates, by a number that nobody can know beforehand.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import html
import re
import secrets
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from jinja2 import BaseLoader, Environment, pass_context
from jinja2.runtime import Context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from traitlets.config import Config

from grading import sanitise
from grading.classroom import roster, summary
from grading.classroom.formulas import mathml

# nbgrader's page for grading waits until MathJax, fetched from afar, has set all formulas; here they are MathML
NO_WAITING = "<script>var MathJax = {Hub: {Startup: {signal: {Interest: (told) => told('End')}}}};</script>"
HANDLERS = (  # in the text of nbgrader's templates
    "toggle_name(true);", "toggle_name(false);", "toggleAllNames()",
    "createStudentModal();", "createAssignmentModal();",
)  # fmt: skip
HASHES = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in HANDLERS]
POLICY = "; ".join((
    "default-src 'none'",
    "script-src 'self' 'nonce-{number}' 'unsafe-eval' 'unsafe-hashes' "
    + " ".join(f"'sha256-{one}'" for one in HASHES),
    "connect-src 'self'", "img-src 'self' data:", "style-src 'self' 'unsafe-inline'",
    "font-src 'self' data:", "base-uri 'none'", "form-action 'self'",
))  # fmt: skip
FILES = "default-src 'none'; sandbox; frame-ancestors 'self'"  # for files as they are: nothing in them runs
FORMGRADER = "nbgrader.server_extensions.formgrader"
PAGE = "page"  # our template for feedback
NAVIGATION = "{{ nav(resources) }}"
NAMES = re.compile(r'= "\{\{ (student_id|assignment_id|notebook_id) \}\}";')  # in nbgrader's scripts
NOTEBOOK = '<div class="container" id="notebook-container">'  # in formgrader's template: what a notebook is shown in


def use(config: Config) -> None:
    """Show all pages this way: the feedback, and those of a formgrader in this process."""
    config.GenerateFeedback.exporter_class = f"{__name__}.{PageExporter.__name__}"
    if f"{FORMGRADER}.handlers" in sys.modules:  # it is imported before it reads the course's settings
        handler = sys.modules[f"{FORMGRADER}.base"].BaseHandler
        handler.exporter, handler.render = property(exporter_of), render
        sys.modules[f"{FORMGRADER}.handlers"].SubmissionFilesHandler.content_security_policy = FILES


class OwnScripts(BaseLoader):
    """Loads templates with a mark at each of their scripts, with the policy at the start of their head, and with the
    summary before a notebook. A page has a fresh number in the mark's place (see `finished`)."""

    def __init__(self, loader: BaseLoader):
        self.loader, self.mark = loader, secrets.token_hex(16)
        self.policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY.format(number=self.mark)}">'

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        """The template's text, marked."""
        text, file, is_current = self.loader.get_source(environment, template)
        text = text.replace("{{ mathjax() }}", NO_WAITING)
        text = text.replace(f'{roster.PAGE}"></script>', f'{roster.PAGE}"></script>{roster.TELL}')
        text = text.replace("<script", f'<script nonce="{self.mark}"').replace("<head>", f"<head>{self.policy}")
        text = NAMES.sub(r"= {{ \1|tojson }};", text)
        if NAVIGATION in text:  # formgrader's own template: the one that it extends has such a place, too
            text = text.replace(NOTEBOOK, NOTEBOOK + "{{ resources.summary }}")
        return text, file, is_current

    def finished(self, page: str) -> str:
        """A page with a number of its own."""
        return page.replace(self.mark, secrets.token_urlsafe(16))


class Formulas(IPythonRenderer):
    """Renders Markdown with a mark in place of each formula, which is put back, as MathML, when all else is clean."""

    def __init__(self) -> None:
        super().__init__(escape=False, exclude_anchor_links=True)
        self.mark, self.found = secrets.token_hex(16), list[str]()

    def render(self, source: str) -> str:
        """Markdown as HTML, not yet clean."""
        return str(MarkdownWithMath(renderer=self).render(source))

    def keep(self, tex: str, block: bool) -> str:
        """The mark of a formula."""
        self.found.append(mathml(sanitise.harmless_tex(tex), block))
        return f"{self.mark}-{len(self.found) - 1}-"

    def inline_math(self, body: str) -> str:
        """A formula within a line."""
        return self.keep(body, False)

    def block_math(self, body: str) -> str:
        """A formula of its own."""
        return self.keep(body, True)

    def latex_environment(self, name: str, body: str) -> str:
        """An environment, which is a formula of its own."""
        return self.keep(rf"\begin{{{name}}}{body}\end{{{name}}}", True)

    def put_into(self, page: str) -> str:
        """A clean page with its formulas."""
        return re.sub(rf"{self.mark}-(\d+)-", lambda mark: self.found[int(mark[1])], page)


class PageExporter(HTMLExporter):
    """nbconvert's export to HTML, with what learners wrote made harmless."""

    def __init__(self, *arguments: Any, **settings: Any):
        super().__init__(*arguments, **settings)  # type: ignore[no-untyped-call] # nbconvert's own
        self.sanitize_html = True

    def page(self, notebook: NotebookNode, resources: dict[str, Any]) -> str:
        """A graded notebook as a page of feedback. What nbconvert would do beside it is not done: our template needs no
        widgets, themes or highlighted code, and all of a page that is not ours is clean before it comes there."""
        resources = escaped(resources)
        resources["summary"], resources["parts"] = summary.as_html(notebook), list(summary.parts(notebook))
        return str(self.environment.loader.finished(self.template.render(nb=notebook, resources=resources)))

    def _create_environment(self) -> Environment:
        environment: Environment = super()._create_environment()  # type: ignore[no-untyped-call] # nbconvert's own
        assert environment.loader is not None
        environment.loader = OwnScripts(environment.loader)
        environment.filters["clean_html"] = sanitise.boxed
        environment.filters["markdown2html"], environment.filters["our_markdown"] = cells_markdown, our_markdown
        environment.filters["learners_markdown"] = learners_markdown
        environment.filters["light"], environment.filters["picture"] = light, picture
        environment.filters["strip_files_prefix"] = str  # reads in quadratic time, for links that cleaning removes
        return environment

    def _preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        notebook, resources = super()._preprocess(nb, resources)  # type: ignore[no-untyped-call] # nbconvert's own
        resources = escaped(resources)
        resources["summary"], resources["parts"] = summary.as_html(notebook), list(summary.parts(notebook))
        return notebook, resources

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **settings: Any
    ) -> tuple[Any, dict[str, Any]]:
        """A page as text, and its resources with all names and paths escaped."""
        page, resources = super().from_notebook_node(nb, resources, **settings)
        return self.environment.loader.finished(page), resources


@pass_context
def cells_markdown(context: Context, source: str) -> str:
    """The Markdown of the cell that a template is at, as harmless HTML: shut in a box where the cell is a learner's."""
    cell = context.get("cell")
    ours = cell is not None and not cell.metadata.get("nbgrader", {}).get("solution")
    return our_markdown(source) if ours else learners_markdown(source)


def learners_markdown(source: str) -> str:
    """Markdown of a learner's as harmless HTML, shut in a box."""
    formulas = Formulas()
    return formulas.put_into(sanitise.markdown(source, formulas.render, True))


@lru_cache(maxsize=1000)
def our_markdown(source: str) -> str:
    """Markdown of the course's or the teacher's as harmless HTML; the same for a class, so it is kept."""
    formulas = Formulas()
    return formulas.put_into(sanitise.markdown(source, formulas.render, False))


def light(text: str, ours: bool) -> str:
    """What a cell has shown as HTML, without large pictures; that of our cells without any, and kept."""
    return light_once(text) if ours else sanitise.boxed_light(text)


@lru_cache(maxsize=200)
def light_once(text: str) -> str:
    """That of a cell of ours."""
    return sanitise.boxed_light(text, False)


def picture(png: str) -> str:
    """A picture of a learner's; a large one is left out."""
    if len(png) > sanitise.MOST_LIGHT or not sanitise.is_png(png):
        return "<p>(A picture is left out here: it is too large.)</p>"
    return f'<img src="data:image/png;base64,{"".join(png.split())}" alt="A picture that the code showed">'


def escaped(resources: Any) -> Any:
    """All texts of a page's resources escaped for HTML; its style sheets, which are in a list, are as they were."""
    if isinstance(resources, dict):
        found = copy.copy(resources)
        found.update({key: escaped(value) for key, value in resources.items()})
        return found
    return html.escape(resources) if isinstance(resources, str) else resources


def exporter_of(handler: Any) -> PageExporter:
    """For formgrader's handlers: the exporter of this formgrader, with its settings."""
    found = handler.settings["nbgrader_exporter"]
    if not isinstance(found, PageExporter):
        found = handler.settings["nbgrader_exporter"] = PageExporter(config=found.config)
    return found


def render(handler: Any, name: str, **values: Any) -> str:
    """For formgrader's handlers: one of its other pages, with all names escaped."""
    environment = handler.settings["nbgrader_jinja2_env"]
    if not isinstance(environment.loader, OwnScripts):
        environment = Environment(loader=OwnScripts(environment.loader), autoescape=True)
        handler.settings["nbgrader_jinja2_env"] = environment
    return str(environment.loader.finished(environment.get_template(name).render(**values)))
