"""Two cells with one id, and objects with the same key twice."""

CELLS = {
    "entropy": """def entropy(p):
    return p.sum(-1) * 0 + 1.0
"""
}


def write(file, text):
    again = '"cells": [], "cells":'
    file.write_text(text.replace('"cells":', again, 1).replace('"grade": true', '"grade": true, "grade": false'))
