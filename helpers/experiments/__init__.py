"""The experiments of notebook 07: what is trained, by which methods, and the script that makes the shipped results."""
