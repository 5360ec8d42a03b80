"""Submit many jobs at once, watch one, collect all: `python examples/many_jobs.py [URL]`.

Needs a service with the models of this folder: `EXPLAINERY_MODELS=examples/models explainery up`.
"""

import sys
from collections import Counter

from explainery import Client


def main(url: str) -> None:
    with Client(url) as client:
        jobs = [client.submit("interaction", [[float(number), 2.0]], "kernel_shap", baseline="zeros") for number in range(32)]
        client.wait(jobs[-1], timeout_s=60, progress=lambda job: print(f"the last one is {job.status}"))
        shared = Counter()
        for number, job in enumerate(jobs):
            client.wait(job, timeout_s=60)
            result = client.result(job)
            first, second = result.attributions["input"][0]
            print(f"{number} x 2 = {first:g} + {second:g}")  # half of the product each
            shared[result.result.cost.batch_jobs] += 1
    for size, count in sorted(shared.items()):
        print(f"{count} jobs were worked on in batches of {size}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080")
