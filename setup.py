"""Package layout: `parameter/` at the top level installs as `pytracking_et.parameter`."""

from setuptools import find_packages, setup

# Only what lies inside parameter/ is mapped: `parameter` itself must not become a top-level name
# in site-packages, and pytracking_et/parameter/__init__.py finds the checkout's folder by itself.
parameters = find_packages("parameter")
packages = find_packages(include=["pytracking_et", "pytracking_et.*", "ltr_et", "ltr_et.*"])
# Folders without code are data of the package they lie in.
data = [
    "py.typed",
    "*.json",
    "*.html",
    "*.css",
    "*.js",
    "*.toml",
    "*.yaml",
    "data/*.json",
    "static/*",
    "weights/*.safetensors",
    "weights/*.json",
]

setup(
    packages=[*packages, *(f"pytracking_et.parameter.{name}" for name in parameters)],
    package_dir={
        f"pytracking_et.parameter.{name}": f"parameter/{name.replace('.', '/')}"
        for name in parameters
    },
    package_data={"": data},
    include_package_data=False,
)
