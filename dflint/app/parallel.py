"""Judging with several processes. The findings are the same as with one.

Several histories are shared out. Where one history outweighs the rest, its files are parsed in parallel and folded in
order.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from dflint.app.discovery import History
from dflint.app.loading import LoadedFile, wanted_files
from dflint.app.outcome import Outcome
from dflint.model.errors import DflintError

if TYPE_CHECKING:
    from dflint.app.judging import Judge, ParsedFile
    from dflint.app.lint import Run


def judge_in_processes(run: Run, histories: Sequence[History], processes: int) -> Outcome:
    """Judge the histories with up to ``processes`` processes.

    Raises:
        DflintError: one of them failed on purpose.
    """
    weights = [_weight(history) for history in histories]
    if weights and max(weights) * processes > 1.5 * sum(weights):
        outcome = Outcome()
        for history in histories:
            outcome.add(run.one(history, lambda judge, files: _parse_in_parallel(judge, files, processes)))
        return outcome
    shares: list[list[int]] = [[] for _ in range(processes)]
    loads = [0] * processes
    for index in sorted(range(len(histories)), key=lambda i: -weights[i]):
        lightest = loads.index(min(loads))
        shares[lightest].append(index)
        loads[lightest] += weights[index]
    children = [_Child(_judging(run, histories, share)) for share in shares[1:] if share]
    (results,) = _judging(run, histories, shares[0])()
    for child in children:
        results.update(child.only())
    outcome = Outcome()
    for index in range(len(histories)):
        outcome.add(results[index])
    return outcome


def _weight(history: History) -> int:
    """Bytes, roughly: what judging costs; a file counts for something even when it is empty."""
    weight = 0
    for file in wanted_files(history):
        try:
            weight += 500 + os.stat(f"{history.directory.real}/{file}").st_size
        except OSError:
            continue
    return weight


def _judging(
    run: Run, histories: Sequence[History], share: Sequence[int]
) -> Callable[[], Iterator[dict[int, Outcome]]]:
    def work() -> Iterator[dict[int, Outcome]]:
        # All at once: a child that writes while nobody reads would stand still.
        yield {index: run.one(histories[index]) for index in share}

    return work


def _parse_in_parallel(judge: Judge, files: Sequence[LoadedFile], processes: int) -> Iterator[ParsedFile]:
    """The parsed files in order. This process folds; the others parse every n-th file each."""
    from dflint.app.judging import ParsedFile

    workers = processes - 1
    children = [_Child(_parsing(judge, files[offset::workers])) for offset in range(workers)]
    streams = [child.stream() for child in children]
    for index, file in enumerate(files):
        yield ParsedFile(file, next(streams[index % workers]))
    for child in children:
        child.finish()


def _parsing(judge: Judge, files: Sequence[LoadedFile]) -> Callable[[], Iterator[Any]]:
    def work() -> Iterator[Any]:
        for file in files:
            yield judge.parse(file).statements

    return work


class _Child:
    """A forked process that yields values through a pipe. Forking shares the loaded rules and the parser."""

    def __init__(self, work: Callable[[], Iterator[Any]]) -> None:
        reader, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(reader)
            _child(work, writer)
        os.close(writer)
        self._stream: BinaryIO = os.fdopen(reader, "rb", 1 << 16)

    def stream(self) -> Iterator[Any]:
        """The values, as they come.

        Raises:
            DflintError: the child failed on purpose.
        """
        import pickle

        while True:
            kind, value = pickle.load(self._stream)  # noqa: S301  # from our own child
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value

    def only(self) -> Any:
        """The only value."""
        (value,) = self.stream()
        self.finish()
        return value

    def finish(self) -> None:
        """Wait for its end."""
        self._stream.close()
        os.waitpid(self._pid, 0)


def _child(work: Callable[[], Iterator[Any]], writer: int) -> None:
    import pickle

    status = 1
    try:
        with os.fdopen(writer, "wb", 1 << 16) as stream:
            try:
                for value in work():
                    pickle.dump(("value", value), stream, protocol=5)
                pickle.dump(("end", None), stream)
                status = 0
            except DflintError as error:
                pickle.dump(("error", error), stream)
            except BrokenPipeError:
                pass
            except Exception as error:  # noqa: BLE001  # told to the parent, which raises it
                pickle.dump(("error", RuntimeError(repr(error))), stream)
    finally:
        # No clean-up of the parent's state: this process is a copy of it.
        os._exit(status)
