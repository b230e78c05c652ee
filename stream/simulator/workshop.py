"""The workshop: takes accepted jobs, waits as long as they are meant to take, and really makes the pictures.

Jobs come in from the submit desk; outputs (files in a temporary folder) and finished entries in the books go out.
Pixels are worked on in a small thread pool. The same picture with the same recipe is made once and kept: outputs are
files named by the hash of what they were made of.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from stream.simulator.book import Job, plain
from stream.simulator.faults import Fault, FaultKind, Mischief, Question, Step
from stream.simulator.pictures import BadPictureError, render

if TYPE_CHECKING:
    from stream.simulator.behaviour import Behaviour
    from stream.simulator.book import Book

log = logging.getLogger(__name__)


class Workshop:
    """Runs jobs to their end. `close` abandons what still runs."""

    def __init__(self, book: Book, threads: int) -> None:
        self._book = book
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="pixels")
        self._folder = TemporaryDirectory(prefix="pixelapi-simulator-")
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._making: dict[str, asyncio.Future[str]] = {}

    async def close(self) -> None:
        """Cancel what runs, wait for the pixel threads, remove the outputs."""
        await self.forget()
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        self._folder.cleanup()

    async def forget(self) -> None:
        """Cancel every running job."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def start(self, job: Job, picture: bytes, behaviour: Behaviour, mischief: Mischief) -> asyncio.Task[None]:
        """Begin an accepted job; the task ends when the job does."""
        question = Question(Step.JOB, job.operation, job.image_url, job.filename, job.client)
        fault = mischief.pick(behaviour.faults, question, behaviour.seed)
        if fault is not None:
            job.fault = fault.kind.value
            job.latency_seconds = fault.seconds if fault.kind is FaultKind.SLOW else job.latency_seconds
        task = asyncio.create_task(self._run(job, picture, behaviour, fault), name=f"job {job.id}")
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))
        return task

    def path(self, name: str) -> Path:
        """Where an output made under this name lies."""
        return Path(self._folder.name) / name

    async def _run(self, job: Job, picture: bytes, behaviour: Behaviour, fault: Fault | None) -> None:
        job.started_at = time.time()
        kind = fault.kind if fault else None
        try:
            if kind is FaultKind.NEVER_ENDS:
                await asyncio.Event().wait()
            if fault is not None and kind in {FaultKind.FAILED, FaultKind.BLOCKED}:
                await asyncio.sleep(job.latency_seconds)
                self._fail(job, fault.kind.value, fault.message, behaviour)
                return
            if fault is not None and kind is FaultKind.UNKNOWN_STATUS:
                await self._dawdle(job, fault)
            made, _ = await asyncio.gather(
                self._made(job, picture, behaviour.scene_format), asyncio.sleep(job.latency_seconds)
            )
        except BadPictureError as error:
            self._fail(job, "failed", str(error), behaviour)
        except Exception:
            log.exception("the simulator could not make a picture")
            self._fail(job, "failed", "internal error", behaviour)
        else:
            job.output = None if kind is FaultKind.NO_URL else made
            self.name_output(job)
            self._book.finish(job, "completed", charge=behaviour.charge == "success")

    def _fail(self, job: Job, status: str, message: str, behaviour: Behaviour) -> None:
        refund = behaviour.refund_blocked if status == "blocked" else behaviour.refund_failed
        words = "Content was blocked by the safety filter" if status == "blocked" else "Processing failed"
        # On success-charging nothing was taken; without refunds a failed job costs its price in both worlds.
        charge = behaviour.charge == "success" and not refund
        self._book.finish(job, status, charge=charge, refund=refund, error=message or words)

    @staticmethod
    async def _dawdle(job: Job, fault: Fault) -> None:
        job.error = fault.text
        if not fault.seconds:
            await asyncio.Event().wait()
        await asyncio.sleep(fault.seconds)
        job.error = None

    @staticmethod
    def name_output(job: Job) -> None:
        """A fresh public name, valid from now on; older names of the job are dead."""
        if job.output is not None:
            serial = len(job.output_names) + 1
            job.output_names.append(f"{job.id}-{serial}{Path(job.output).suffix}")
            job.output_made_at = time.time()

    async def _made(self, job: Job, picture: bytes, scene_format: str) -> str:
        """File name of the output, made now or before. Raises BadPictureError."""
        recipe = f"{job.sha256}|{job.operation.value}|{plain(job.params)}|{scene_format}"
        key = hashlib.sha256(recipe.encode()).hexdigest()[:32]
        if key not in self._making:
            loop = asyncio.get_running_loop()
            self._making[key] = loop.run_in_executor(self._pool, self._make, key, job, picture, scene_format)
        try:
            return await asyncio.shield(self._making[key])
        except Exception:
            self._making.pop(key, None)  # a job cut short must not spoil the next one
            raise

    def _make(self, key: str, job: Job, picture: bytes, scene_format: str) -> str:
        made = render(job.operation, picture, job.params, scene_format)
        name = f"{key}.{made.suffix}"
        self.path(name).write_bytes(made.content)
        return name
