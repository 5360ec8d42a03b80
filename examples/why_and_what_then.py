"""Why was it refused, and what would change that? `python examples/why_and_what_then.py [URL]`.

Needs a service with the models of this folder: `EXPLAINERY_MODELS=examples/models explainery up`. The credit score's card says
which features may change, how, and what a notice calls them.
"""

import sys

from explainery import Client

NEEDED = 35.0
APPLICANT = {"income": 2100, "debt": 650, "years employed": 2, "late payments": 1}
KNOWN = [  # other applicants: what steps are large, and what is usual
    {"income": 3400, "debt": 900, "years employed": 11, "late payments": 0},
    {"income": 2800, "debt": 1200, "years employed": 5, "late payments": 0},
    {"income": 4500, "debt": 300, "years employed": 20, "late payments": 0},
    {"income": 1900, "debt": 800, "years employed": 1, "late payments": 3},
    {"income": 2600, "debt": 500, "years employed": 8, "late payments": 1},
]


def main(url: str) -> None:
    with Client(url) as client:
        why = client.explain(
            "credit-score",
            [APPLICANT],
            "exact_shapley",
            baseline={"background": KNOWN},
            reasons={"top": 3, "direction": "against"},
        )
        told = why.explanations[0]
        print(f"{told.instance_output:.1f} points, {NEEDED:g} are needed; others have {told.baseline_output:.1f} on average:")
        for reason in told.reasons:
            print(f"  {reason.code} {reason.text} ({reason.contribution:+.1f})")
        what = client.explain(
            "credit-score",
            [APPLICANT],
            "counterfactual",
            params={"desired": {"range": [NEEDED, None]}, "count": 3},
            target=None,
            baseline={"background": KNOWN},
        )
        for way in what.report["rows"][0]["counterfactuals"]:
            steps = ", ".join(f"{change['feature']} {change['from']:g} -> {change['to']:g}" for change in way["changes"])
            print(f"  {way['outcome']['values'][0]:.1f} points with {steps}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080")
