"""Jobs of one model worked on together: their rows ask, chunks of all their questions are answered, until none is left."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from explainery.contract.errors import ComputeError, ExplaineryError, ModelFailed, ResourceExhausted
from explainery.store.jobs import Claim
from workers.answering import Tally
from workers.answerings import Answerings
from workers.batching import Pending, Slice, next_chunk
from workers.explaining import RowAnswer
from workers.frame import Frame
from workers.governor import Governor
from workers.loaded import Loaded
from workers.memory import Memory
from workers.questions import Gradients, Internals
from workers.registry import Registry
from workers.work import Part, Turns, Work, take_in

log = structlog.get_logger()


@dataclass(eq=False)
class _Asking:
    """A row, or a job as a whole, in the middle of its explanation, and the questions it waits for."""

    work: Work
    part: Part
    generator: Turns
    pendings: list[Pending[Tally]]
    had: int = 0
    """Evaluations of questions that were answered."""

    @property
    def memory(self) -> Memory | None:
        """What its row has been answered, where it is a row of a method that samples."""
        return None if self.work.memories is None else self.work.memories.of_rows[self.part]

    @property
    def evaluations(self) -> int:
        """Evaluations that it has had."""
        return self.had + sum(pending.planned for pending in self.pendings)

    def beginning(self) -> Any:
        """What is known of the answer to its method's question; between two chunks, what is planned is answered."""
        assert self.memory is not None  # noqa: S101  # looked at before
        for pending in self.pendings:
            if not isinstance(pending.question, Frame):
                return self.memory.beginning(pending.question, pending.asker.beginning(pending.planned))
        return None

    @property
    def waits(self) -> bool:
        """Whether an evaluation is not yet in a chunk."""
        return any(pending.left for pending in self.pendings)


Failure = tuple[Work, ExplaineryError]


@dataclass(frozen=True, eq=False)
class Estimate:
    """What is known of a row that is not finished, after so many evaluations."""

    row: int
    evaluations: int
    answer: RowAnswer


class Batch:
    """The jobs of one model that a worker has in hand.

    `plan` settles the next chunk, `step` answers it and takes out the jobs that ended.
    """

    def __init__(self, loaded: Loaded, registry: Registry, governor: Governor, most_rows: int) -> None:
        self._loaded = loaded
        self._registry = registry
        self._governor = governor
        self._most_rows = most_rows
        self._answerings = Answerings(loaded.model)
        self._asking: list[_Asking] = []
        self._chunk: list[Slice[Tally]] = []
        self._failures: list[Failure] = []
        self.works: dict[str, Work] = {}

    @property
    def estimated_s(self) -> float:
        """Seconds of compute that the jobs in hand may take in all, as estimated when they came."""
        return sum(work.claim.compute_s for work in self.works.values())

    @property
    def planned_jobs(self) -> list[str]:
        """Ids of the jobs that the planned chunk is for."""
        owners = self._owners()
        return list(dict.fromkeys(owners[piece.pending].id for piece in self._chunk))

    @property
    def planned_text(self) -> str:
        """What the planned chunk is, for people: no value of an input is in it."""
        if not self._chunk:
            return "nothing"
        gradients = isinstance(self._chunk[0].pending.question, (Gradients, Internals))
        points = sum(piece.stop - piece.start for piece in self._chunk)
        return f"{points} {'gradients' if gradients else 'values'}"

    @property
    def abandon(self) -> Callable[[], object] | None:
        """How to end a call of the model from another thread; None for most models."""
        return getattr(self._loaded.model, "abandon", None)

    @property
    def rows(self) -> int:
        """Rows of all jobs in hand that have no answer yet."""
        return sum(work.claim.spec.rows - len(work.answers) for work in self.works.values())

    @property
    def suspect(self) -> bool:
        """Whether a job in hand has cost a worker its life before: it is worked on alone."""
        return any(work.claim.losses for work in self.works.values())

    def admit(self, claim: Claim) -> Work:
        """Take a job in. Raises ComputeError when it cannot be prepared."""
        began = time.perf_counter()
        work = take_in(claim, self._loaded, self._registry)
        work.between_s += time.perf_counter() - began
        self.works[work.id] = work
        tenants = Counter(each.claim.spec.tenant for each in self.works.values())
        for other in self.works.values():
            other.company = max(other.company, len(self.works))
            other.own_company = max(other.own_company, tenants[other.claim.spec.tenant])  # of others it is not told
        return work

    def drop(self, job_id: str) -> None:
        """Forget a job that is no longer ours, or has ended."""
        self.works.pop(job_id, None)
        self._asking = [asking for asking in self._asking if asking.work.id != job_id]
        self._answerings.keep(pending.asker.row.model for asking in self._asking for pending in asking.pendings)

    def end_early(self, job_id: str, why: str) -> bool:
        """End a job with what is known of its rows; False, and nothing done, unless each has an estimate."""
        work, ended = self.works[job_id], {}
        mine = [asking for asking in self._asking if asking.work is work]
        if work.memories is None or work.started < work.claim.spec.rows:
            return False
        for asking in mine:
            answer = None if asking.memory is None else asking.memory.end(asking.beginning(), why)
            if answer is None:
                return False
            ended[asking.part] = answer
        for part, answer in ended.items():
            work.settle(part, answer)
        self._asking = [asking for asking in self._asking if asking.work is not work]
        return True

    def estimate(self, job_id: str) -> Estimate | None:
        """What is known of the first row of a job that is being worked on; None where that is nothing."""
        for asking in self._asking:
            memory = asking.memory if asking.work.id == job_id else None
            if memory is None or memory.conclude is None:
                continue
            solution = memory.estimate(asking.beginning())
            return None if solution is None else Estimate(asking.part, asking.evaluations, memory.conclude(solution))
        return None

    def plan(self) -> None:
        """Bring rows to the device and settle which evaluations are next."""
        self._failures = self._start_rows()
        self._chunk = next_chunk(list(self._owners()), _Sizes(self._governor), time.monotonic())

    def step(self) -> tuple[list[Work], list[Failure]]:
        """Answer the planned chunk; return the jobs that finished and those that failed by it, taken out of the batch."""
        failures, chunk = self._failures, self._chunk
        self._failures, self._chunk = [], []
        failures += self._answer(chunk)
        failed = {work.id for work, _ in failures}
        for asking in [asking for asking in self._asking if not asking.waits and asking.work.id not in failed]:
            failures += self._resume(asking)
        finished = [work for work in self.works.values() if work.finished]
        for work in (*finished, *(work for work, _ in failures)):
            self.drop(work.id)
        return finished, failures

    def _start_rows(self) -> list[Failure]:
        """Bring rows to the device while there is room, each job's in turn."""
        failures: list[Failure] = []
        for work in self.works.values():
            while len(self._asking) < self._most_rows and (begun := self._begun(work, failures)) is not None:
                part, generator = begun
                asking = _Asking(work, part, generator, [])
                self._asking.append(asking)
                failures += self._resume(asking)
        return failures

    def _begun(self, work: Work, failures: list[Failure]) -> tuple[Part, Turns] | None:
        began = time.perf_counter()
        try:
            return work.begin(self._most_rows)
        except MemoryError:
            failures.append((work, _exhausted()))
            return None
        finally:
            work.between_s += time.perf_counter() - began

    def _owners(self) -> dict[Pending[Tally], Work]:
        return {pending: asking.work for asking in self._asking for pending in asking.pendings}

    def _pending(self, work: Work, tally: Tally, before: int) -> Pending[Tally]:
        place = self._answerings.place(tally.row.model)
        kind = (self._loaded.ref.digest, place, *tally.kind)  # type: ignore[misc]  # a kind is a tuple
        urgent = work.claim.spec.priority == "interactive"
        return Pending(tally, tally.question, kind, tally.evaluations, urgent, time.monotonic(), before=before)

    def _answer(self, chunk: Sequence[Slice[Tally]]) -> list[Failure]:
        """Answer a chunk: halve on out-of-memory, and when the model raises find out for which job."""
        if not chunk:
            return []
        kind, points = chunk[0].pending.kind, sum(piece.stop - piece.start for piece in chunk)
        owners = self._owners()
        began = time.perf_counter()
        try:
            faults = self._answerings.of(chunk[0].pending.asker.row.model).ask(chunk)
        except MemoryError:
            if self._governor.exhausted(kind, points):
                _unplan(chunk)
                return []
            return [(owners[chunk[0].pending], _exhausted())]
        except ModelFailed as error:
            return self._answer_apart(chunk, owners, error)
        except ExplaineryError as error:  # the runtime does not answer such questions of this model: no job of the chunk's
            return _once((owners[piece.pending], error) for piece in chunk)
        seconds = time.perf_counter() - began
        self._governor.went(kind, points, seconds)
        for piece in chunk:
            share = piece.stop - piece.start
            owners[piece.pending].count(share, gradients=isinstance(piece.pending.question, (Gradients, Internals)))
            owners[piece.pending].compute_s += seconds * share / points
            owners[piece.pending].pace.longest_s = max(owners[piece.pending].pace.longest_s, seconds)
            owners[piece.pending].crowd = max(owners[piece.pending].crowd, points)
        return _once((owners[piece.pending], fault) for piece, fault in faults)

    def _answer_apart(
        self, chunk: Sequence[Slice[Tally]], owners: dict[Pending[Tally], Work], error: ModelFailed
    ) -> list[Failure]:
        """The model raised on a chunk: ask again job by job, so that only the job that makes it raise fails."""
        jobs = list(dict.fromkeys(owners[piece.pending].id for piece in chunk))
        if len(jobs) == 1:
            return [(owners[chunk[0].pending], error)]
        return [
            failure for job in jobs for failure in self._answer([piece for piece in chunk if owners[piece.pending].id == job])
        ]

    def _resume(self, asking: _Asking) -> list[Failure]:
        """Give a row its answers (none, to begin with); the time that takes is its job's."""
        began = time.perf_counter()
        failures = self._resumed(asking)
        asking.work.between_s += time.perf_counter() - began
        return failures

    def _resumed(self, asking: _Asking) -> list[Failure]:
        """Note a row's next questions, or its explanation."""
        try:
            answers = [pending.asker.answer() for pending in asking.pendings]
            turn = asking.generator.send(answers) if asking.pendings else next(asking.generator)
        except StopIteration as done:
            asking.work.settle(asking.part, done.value)
            self._asking.remove(asking)
            return []
        except ExplaineryError as error:
            return [(asking.work, error)]
        except MemoryError:
            return [(asking.work, _exhausted())]
        except Exception as error:  # a method's own bug is its job's failure, never the batch's
            return [(asking.work, _bug(asking.work, error))]
        asking.had = asking.evaluations
        before = asking.had if asking.work.abreast else 0
        asking.pendings = [self._pending(asking.work, Tally(row, question), before) for row, question in turn]
        return []


class _Sizes(dict[Any, int]):
    """Chunk size by kind, asked of the governor when it is needed."""

    def __init__(self, governor: Governor) -> None:
        super().__init__()
        self._governor = governor

    def __missing__(self, kind: Any) -> int:
        elements = sum(math.prod(shape) for shape in kind[-1])
        return self._governor.size(kind, max(1, elements))


def _unplan(chunk: Sequence[Slice[Tally]]) -> None:
    for piece in chunk:
        piece.pending.planned = piece.start


def _once(failures: Iterable[Failure]) -> list[Failure]:
    """The first failure of each job."""
    first: dict[str, Failure] = {}
    for work, error in failures:
        first.setdefault(work.id, (work, error))
    return list(first.values())


def _bug(work: Work, error: Exception) -> ComputeError:
    """What a job fails with when its method raises."""
    method = work.claim.spec.method
    log.exception("method_raised", job_id=work.id, method=method)
    return ComputeError(f"The method {method} raised {type(error).__name__}; the worker's log says where.")


def _exhausted() -> ResourceExhausted:
    return ResourceExhausted("Memory ran out even for a single evaluation; use a worker with more memory or a smaller input.")
