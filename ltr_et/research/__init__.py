"""Studies around the recipe: the paper's ablations and the architecture search.

No command of the product needs them: `python -m ltr_et.research.ablation`, `.search`.
"""
