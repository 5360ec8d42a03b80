"""Ask every method that works on a model about the same row: `python examples/compare_methods.py [URL] [MODEL]`.

Needs a service with the models of this folder: `EXPLAINERY_MODELS=examples/models explainery up`.
"""

import sys

from explainery import Client


def main(url: str, name: str) -> None:
    with Client(url) as client:
        newest = client.model(name)["versions"][0]
        features = newest["card"]["inputs"][0]["features"]
        row = [[2.0 + column for column in range(len(features))]]
        print(f"{'':22}" + "".join(f"{feature:>16}" for feature in features))
        by_row = {method["name"] for method in client.methods() if method["level"] == "row"}  # others answer for a whole job
        for method, state in newest["methods"].items():
            if method not in by_row:
                continue
            if not state["available"]:
                print(f"{method:22}{state['reason']}")
                continue
            shares = client.explain(name, row, method, baseline="zeros").attributions["input"][0]
            print(f"{method:22}" + "".join(f"{share:16.3g}" for share in shares))


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
    main(url, sys.argv[2] if len(sys.argv) > 2 else "interaction")
