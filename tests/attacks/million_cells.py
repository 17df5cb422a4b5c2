"""Hand in a million cells."""

def write(file, text):
    file.write_text('{"cells": [' + ",".join(["{}"] * 1_000_000) + '], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')


SAYS = "more than 2000 cells"
