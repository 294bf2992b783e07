"""Live tracking: sources, window, Visdom, web page, writers.

Frames are RGB everywhere inside (HxWx3 uint8); the only places that know OpenCV's BGR order are
the readers in `sources`, the file writer and the window.
"""
