"""Drawn: pictures whose content is known to the last mark.

Here live: scenes (what a picture shows), dresses (how it looks) and the drawing of one in the other with Pillow.
Not here: questions about scenes (`worlds.visual`), models that look at pictures (`scores.vision`).
"""
