"""What names in a request stand for, within what the caller's project may see.

A name with a project in front, as results have it, belongs to that project. Digests name nothing
here: they would open what others made.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from openhearth.errors import NotFound
from openhearth.platform.errors import ApiError, bad_request
from openhearth.platform.files import File, Files
from openhearth.platform.finetuning.asked import Asked
from openhearth.platform.jobs import Job, Jobs
from openhearth.platform.models import is_visible, not_served
from openhearth.store import Store
from openhearth.store.refs import NAME

KIND = "fine-tune"
ID = "ft-"  # how ids of jobs begin
STEP = re.compile(r"[0-9]{1,9}")


class Names:
    """The names of a project."""

    def __init__(self, store: Store, jobs: Jobs, files: Files, project: str) -> None:
        self._store = store
        self._jobs = jobs
        self._files = files
        self._project = project

    def asked(self) -> Asked:
        """What a request's body is made a recipe with."""
        return Asked(
            self._store, self._project, self.path, self.lines, self.version, self.check_model
        )

    def check_model(self, name: str) -> None:
        """Raises:
        NotFound: the project knows no such model.
        """
        if not self._is_there(name):
            raise not_served(name)

    def _is_there(self, name: str) -> bool:
        known = is_visible(name, self._project) and NAME.fullmatch(name)
        return bool(known) and self._store.refs.get(name) is not None

    def file(self, file: str, field: str = "training_file") -> File:
        """An uploaded file of examples.

        Raises:
            ApiError: 404, the project has no such file; 400, it is for something else.
        """
        try:
            found = self._files.get(file, self._project)
        except NotFound as error:
            raise ApiError(404, str(error), param=field, code="file_not_found") from error
        if found.purpose != KIND:
            message = f"{field} was uploaded for {found.purpose}: upload it for fine-tune."
            raise bad_request(message, field, "invalid_file_purpose")
        return found

    def path(self, file: str) -> Path:
        """Where an uploaded file lies on this machine."""
        return self._files.path(self.file(file).id, self._project)

    def lines(self, file: str) -> int | None:
        """How many lines an uploaded file has, as they were counted when it came."""
        return self.file(file).lines

    def version(self, name: str) -> str:
        """The name of a version that is called JOB, JOB:STEP, MODEL or MODEL:STEP.

        Raises:
            ApiError: 404, there is none.
        """
        if name.startswith(ID):
            job, _, step = name.partition(":")
            return version_of(self.job(job), int(step) if STEP.fullmatch(step) else None)
        model, _, step = name.rpartition(":")
        kept = f"{model}-step-{step}"
        return kept if self._is_there(kept) else name

    def job(self, job: str) -> Job:
        """A fine-tuning job of the project.

        Raises:
            ApiError: 404, it has no such job.
        """
        return find_job(self._jobs.get, job, self._project)


def find_job(do: Callable[[str, str], Job], job: str, project: str) -> Job:
    """What `do` gives of a fine-tuning job.

    Raises:
        ApiError: 404, there is no such job.
    """
    if job.startswith(ID):
        try:
            return do(job, project)
        except NotFound:
            pass
    shown = job.encode("ascii", "replace").decode()
    message = f"There is no fine-tuning job {shown!r}: list them to see those there are."
    raise ApiError(404, message, param="id", code="fine_tune_not_found")


def version_of(job: Job, step: int | None = None) -> str:
    """The name of what a job made: its result, or what it kept after so many steps.

    Raises:
        ApiError: 400, it is not over; 404, nothing was kept after that step.
    """
    if job.state != "succeeded" or job.result is None:
        message = f"The job {job.id} is {job.state}: it has a result once it has succeeded."
        raise bad_request(message, "id", "job_not_completed")
    if not step or step == job.result["steps"]:
        return str(job.result["name"])
    for kept in job.result["checkpoints"]:
        if kept["step"] == step:
            return str(kept["name"])
    message = f"{job.id} kept nothing after step {step}: its checkpoints say which there are."
    raise ApiError(404, message, param="checkpoint_step", code="checkpoint_not_found")
