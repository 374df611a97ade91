"""Start the agent from its bare folder, where Python does not know that it is a package."""

import importlib.util
import sys
from importlib import import_module
from pathlib import Path

PACKAGE = "prebuilds_agent"


def load_package(folder: Path) -> None:
    """Make the folder importable as PACKAGE, so that its modules can import each other."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is not a package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    load_package(Path(__file__).resolve().parent)
    sys.exit(import_module(PACKAGE + ".main").main(sys.argv[1:]))
