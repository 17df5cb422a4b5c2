"""`infograd demo`: a simulated class, from handing in to the report."""
