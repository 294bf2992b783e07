"""Numbers shared by training, export and tracking; no torch, so that any engine can read them."""

# ImageNet statistics of RGB images divided by 255 (docs/method.md, section 1).
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
# Pixels of the search crop per cell of the score map.
STRIDE = 16
# Side of the template feature: a template of 127 or 128 pixels gives 8 x 8 positions.
TEMPLATE_CELLS = 8
