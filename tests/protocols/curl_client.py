"""Plain curl, as TorchServe's users have it in scripts: POST and PUT (`-T`), JSON and a form, with and without a version."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from native import ASKED, ROWS, attributions, native


def curl(*arguments: str) -> Any:
    """What curl prints, as JSON."""
    done = subprocess.run(["curl", "-sS", "--fail-with-body", *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main(url: str) -> None:
    wanted = attributions(native(url))[0]
    query = "&".join(f"{name}={value}" for name, value in ASKED.items())
    with tempfile.TemporaryDirectory() as folder:
        row, wrapped = Path(folder) / "row.json", Path(folder) / "wrapped.json"
        row.write_text(json.dumps(ROWS[0]))
        wrapped.write_text(json.dumps({"data": ROWS[0]}))
        for path in ("/explanations/table", "/explanations/table/1"):
            address = f"{url}{path}?{query}"
            assert curl(address, "-T", str(row)) == wanted
            assert curl("-X", "POST", address, "-T", str(row)) == wanted
            assert curl(address, "-d", f"@{row}") == wanted
            assert curl(address, "--data-binary", f"@{wrapped}", "-H", "Content-Type: application/json") == wanted
            assert curl(address, "-F", f"data=@{row}") == wanted


if __name__ == "__main__":
    main(sys.argv[1])
    version = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    print(f"curl {version}: TorchServe's explanations by POST and PUT, JSON and form, with and without a version")
