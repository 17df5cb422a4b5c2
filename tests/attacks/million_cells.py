"""Hand in a million cells."""


def write(file, text):
    cells = ",".join(["{}"] * 1_000_000)
    file.write_text('{"cells": [' + cells + '], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')


SAYS = "more than 2000 cells"
