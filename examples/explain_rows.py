"""Explain rows of a table, and print what mattered: `python examples/explain_rows.py [URL]`.

Needs a service with the models of this folder: `EXPLAINERY_MODELS=examples/models explainery up`.
"""

import sys

from explainery import Client

APPLICANTS = [
    {"income": 2100, "debt": 650, "years employed": 2, "late payments": 1},
    {"income": 4500, "debt": 300, "years employed": 20, "late payments": 0},
]


def main(url: str) -> None:
    with Client(url) as client:
        result = client.explain("credit-score", APPLICANTS, method="exact_shapley", baseline="card", decision_id="example")
    print(f"against the average applicant's {result.baseline_output[0]:.1f} points:")
    for applicant, score, shares in zip(APPLICANTS, result.instance_output, result.attributions["input"], strict=True):
        reasons = ", ".join(f"{name} {share:+.1f}" for name, share in zip(applicant, shares, strict=True))
        print(f"{score:6.1f} points: {reasons}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080")
