"""Jobs on a Ray cluster: submitted, followed, stopped. It needs no Ray in this process, only the head's address."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from data_designer.distributed import tokens

_POLL_SECONDS = 0.5
NO_ANSWER = 1
"""Exit code of a job that ended without one."""


def _client(address: str) -> JobSubmissionClient:
    try:
        return JobSubmissionClient(address)
    except tokens.AuthenticationError:
        if not tokens.may_be_given():
            raise
        tokens.give()
        return JobSubmissionClient(address)


class Jobs:
    """The jobs of one cluster.

    Args:
        address: of the head's dashboard, such as `http://host:8265`.

    Raises:
        ConnectionError: nothing answers there.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        # What it says of packages and zip files is no user's business.
        logging.getLogger("ray").setLevel(logging.WARNING)
        try:
            self._client = _client(address)
        except tokens.AuthenticationError as error:
            raise ConnectionError(
                f"the Ray at {address} asks for a token: give that of the cluster by RAY_AUTH_TOKEN, by a file at "
                f"RAY_AUTH_TOKEN_PATH or in ~/.ray/auth_token ({str(error).partition(chr(10))[0]})"
            ) from error
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ConnectionError(
                f"no Ray takes jobs at {address} ({error}); give the address of the head's dashboard, such as "
                "http://host:8265; its head needs ray[default]"
            ) from error

    def submit(self, entrypoint: str, folder: Path, metadata: Mapping[str, str], variables: Mapping[str, str]) -> str:
        """Start a command in a copy of a folder on the head. Returns the job's name.

        Args:
            entrypoint: the command.
            folder: is copied.
            metadata: shown beside the job, to everybody who may see the cluster.
            variables: of the command's environment; everybody may see these too.
        """
        environment = {"working_dir": str(folder), "env_vars": dict(variables)}
        return str(self._client.submit_job(entrypoint=entrypoint, runtime_env=environment, metadata=dict(metadata)))

    def status(self, job: str) -> tuple[str, str]:
        """How far a job is, in a word and in Ray's words. Raises LookupError where there is no such job."""
        info = self._info(job)
        return str(getattr(info.status, "value", info.status)), str(info.message or "")

    def entrypoint(self, job: str) -> str:
        """The command of a job. Raises LookupError where there is no such job."""
        return str(self._info(job).entrypoint)

    def logs(self, job: str) -> str:
        """All that a job has written."""
        self._info(job)
        return str(self._client.get_job_logs(job))

    def stop(self, job: str) -> bool:
        """Ask a job to stop, as Ctrl-C would. Returns whether it was running."""
        self._info(job)
        return bool(self._client.stop_job(job))

    async def follow(self, job: str, write: Callable[[str], None]) -> int:
        """Write what a job writes until it ends; gives its exit code."""
        self._info(job)
        async for text in self._client.tail_job_logs(job):
            write(text)
        while not JobStatus(self._info(job).status).is_terminal():  # noqa: ASYNC110 - Ray tells of it to who asks
            await asyncio.sleep(_POLL_SECONDS)
        info = self._info(job)
        if info.driver_exit_code is not None:
            return int(info.driver_exit_code)
        return 0 if info.status == JobStatus.SUCCEEDED else NO_ANSWER

    def _info(self, job: str) -> JobDetails:
        try:
            return self._client.get_job_info(job)
        except RuntimeError as error:
            if "404" not in str(error) and "does not exist" not in str(error):
                raise
            raise LookupError(f"there is no job {job!r} at {self._address}") from error
