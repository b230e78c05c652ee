"""A person's word about a stopped stage, over every store: heard by all, the latest one, and its age by the store."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream.core.errors import CorruptDocument, Reason
from stream.ledger.resumes import Resumes
from stream.objects.keys import resume_path
from stream.objects.memory import MemoryStore
from stream.objects.port import ObjectStore
from stream.runtime.hearing import Hearing
from tests.contract.stores import folder_store, s3_store
from tests.services.s3 import S3Server


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> tuple[S3Server, str]:
    return s3, s3.create_bucket(f"t{secrets.token_hex(5)}")


@pytest.fixture(params=["memory", "folder", pytest.param("s3", marks=pytest.mark.s3)])
async def store(request: pytest.FixtureRequest, tmp_path: Path, prefix: str) -> AsyncIterator[ObjectStore]:
    if request.param == "memory":
        yield MemoryStore()
    elif request.param == "folder":
        async with folder_store(tmp_path / "store") as folder:
            yield folder
    else:
        server, name = request.getfixturevalue("bucket")
        async with s3_store(server, name, prefix) as opened:
            yield opened


async def test_what_was_said_last_is_heard(store: ObjectStore) -> None:
    words = Resumes(store)
    assert await words.latest("upscale", Reason.JOB_FAILED) is None
    for why in ("first", "second"):
        await words.tell("upscale", Reason.JOB_FAILED, by="ann@desk", why=why)
    heard = await words.latest("upscale", Reason.JOB_FAILED)
    assert heard is not None
    assert (heard.resume.by, heard.resume.why, heard.resume.reason) == ("ann@desk", "second", "job-failed")
    assert 0 <= heard.age_seconds < 60
    assert await words.latest("upscale", None) is None, "about every reason is another word"
    assert await words.latest("lifestyle", Reason.JOB_FAILED) is None


async def test_of_many_operators_at_once_each_is_written(store: ObjectStore) -> None:
    words = Resumes(store)
    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(words.tell("upscale", None, by=f"operator-{number}", why=""))
    heard = await words.latest("upscale", None)
    assert heard is not None
    assert heard.resume.by.startswith("operator-")


async def test_a_worker_follows_a_word_once_and_none_from_before_the_stop(store: ObjectStore) -> None:
    words, hearing = Resumes(store), Hearing("upscale", Resumes(store))
    await words.tell("upscale", None, by="ann", why="an earlier stop")
    hearing.began(Reason.BUG)
    assert await hearing.newer(Reason.BUG, 0.0) is None
    await words.tell("upscale", None, by="bob", why="corrected")
    word = await hearing.newer(Reason.BUG, 0.0)
    assert word is not None, "it came after the first look, whatever the clocks say"
    assert word.by == "bob"
    assert await hearing.newer(Reason.BUG, 3600.0) is None
    hearing.began(Reason.BUG)
    assert await hearing.newer(Reason.BUG, 3600.0) is None, "one word lets a stage go on once"


async def test_a_word_that_came_between_the_stop_and_the_first_look_counts(store: ObjectStore) -> None:
    hearing = Hearing("upscale", Resumes(store))
    hearing.began(Reason.JOB_FAILED)
    await Resumes(store).tell("upscale", Reason.JOB_FAILED, by="ann", why="")
    word = await hearing.newer(Reason.JOB_FAILED, 3600.0)
    assert word is not None


async def test_a_foreign_document_is_no_word(store: ObjectStore) -> None:
    await store.create(resume_path("upscale", None), b'{"go": "on"}')
    with pytest.raises(CorruptDocument, match="_any"):
        await Resumes(store).latest("upscale", None)
    hearing = Hearing("upscale", Resumes(store))
    hearing.began(Reason.BUG)
    assert await hearing.newer(Reason.BUG, 3600.0) is None
