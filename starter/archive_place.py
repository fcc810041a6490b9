"""Moving closed cases, and where old months of them go, as the settings say (`AFTERSALES_ARCHIVE`)."""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg
from pydantic import ValidationError

from activities.closed_cases import ClosedCases
from activities.gateways.archive_store import ArchiveFolder, ArchiveStore
from starter.archived_cases import ArchivedCases
from starter.settings import Settings, SettingsError, variable_name

if TYPE_CHECKING:
    from activities.archive import Archive

_S3: Final = "s3://"


def archive_store(place: str) -> ArchiveStore:
    """The store at this place: a folder, or ``s3://bucket/folder`` with the rest from ``AFTERSALES_S3_...``.

    Raises:
        SettingsError: the bucket has no name, or a setting of the store's is wrong.
    """
    if not place.startswith(_S3):
        return ArchiveFolder(Path(place))
    # They load an SDK of some size, which who has a folder need not have.
    from activities.gateways.archive_s3 import ArchiveBucket  # noqa: PLC0415
    from activities.gateways.attachments_s3 import S3Settings  # noqa: PLC0415

    bucket, _, folder = place.removeprefix(_S3).partition("/")
    if not bucket:
        raise SettingsError(f"{variable_name('archive')}: s3:// needs the name of a bucket")
    try:
        return ArchiveBucket(S3Settings(bucket=bucket), folder)
    except ValidationError as error:
        names = ", ".join(str(each["loc"][0]).upper() for each in error.errors(include_input=False) if each["loc"])
        raise SettingsError(f"{variable_name('archive')}: AFTERSALES_S3_{names} is wrong") from None


def archive_of(settings: Settings, pool: asyncpg.Pool) -> "Archive":
    """The archive that the settings name.

    Raises:
        SettingsError: they name none, its place is wrong, or what it needs is not installed.
    """
    if settings.archive is None:
        raise SettingsError(f"{variable_name('archive')} is missing: where the archive is")
    try:
        # Not at the top: it loads a library that not every installation has.
        from activities.archive import Archive  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(f"{variable_name('archive')}: install the extra `archive` ({error})") from error
    return Archive(pool, archive_store(settings.archive))


def archived_cases(settings: Settings, pool: asyncpg.Pool) -> ArchivedCases:
    """Cases that are in the archive alone, for whoever reads them, as far as the settings name an archive."""
    return ArchivedCases(pool, partial(archive_of, settings, pool) if settings.archive else None)


def closed_cases(settings: Settings, pool: asyncpg.Pool) -> ClosedCases:
    """The activities of a worker.

    Raises:
        SettingsError: the archive's place is wrong.
    """
    archive = archive_of(settings, pool) if settings.archive else None
    return ClosedCases(pool, timedelta(days=settings.closed_days), archive, months=settings.archive_months)
