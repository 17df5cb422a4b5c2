"""The teacher's and author's side of infograd: exercises, building, judging, and the ``infograd`` command."""
