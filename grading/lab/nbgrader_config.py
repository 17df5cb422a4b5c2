"""nbgrader's settings in a learner's JupyterLab: those of the course, at the desk that JupyterLab opens."""

from grading.course import ROOT, course_settings

c = get_config()  # type: ignore[name-defined] # noqa: F821 - nbgrader gives this to its settings file
c.merge(course_settings())
c.Exchange.assignment_dir = str(ROOT / "notebooks")
c.ExchangeFactory.list = "grading.classroom.exchange.DeskList"
c.ExchangeFactory.submit = "grading.classroom.exchange.DeskSubmit"
