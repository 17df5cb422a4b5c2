"""The teacher's report: what a class did with an assignment, on one page that needs no network."""
