"""The paper's tables again: train each row for a stated budget, measure it, set it beside theirs.

`rows` (what a table holds) -> `training` (one row) -> `measure` (accuracy, cost) -> `report`;
`run` puts them together (`python -m ltr_et.research.ablation`). `scaling` measures cost against
input size.
"""
