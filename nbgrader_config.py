"""nbgrader's settings for this course: where things are, what is never released, and how submissions are graded.

Teachers change settings of their own below; SECURITY.md lists the limits of the sandbox."""

from pathlib import Path

from grading.classroom.nbgrader_plugin import install

course = Path(__file__).resolve().parent
classroom = course / "classroom"

exchange = classroom / "exchange"  # learners with accounts of their own need one that all may write to

exchange.mkdir(parents=True, exist_ok=True)
c = get_config()  # noqa: F821 - nbgrader gives this to its settings file
c.Exchange.root = str(exchange)
c.Exchange.assignment_dir = str(classroom / "fetched")  # where `nbgrader fetch_assignment` puts a learner's copies
c.CourseDirectory.course_id = "infograd"
c.CourseDirectory.root = str(course)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
c.CourseDirectory.submitted_directory = "classroom/submitted"
c.CourseDirectory.autograded_directory = "classroom/autograded"
c.CourseDirectory.feedback_directory = "classroom/feedback"
c.CourseDirectory.solution_directory = "classroom/solution"
c.CourseDirectory.db_url = f"sqlite:///{classroom}/gradebook.db"
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "feedback", "*.py", ".*"]
install(c)

# c.SandboxedAutograde.limits = {"notebook_seconds": 600.0}
# c.LateSubmissionPlugin.penalty_method = "zero"
