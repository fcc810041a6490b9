"""A server that is not ours and speaks S3."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import boto3  # pyright: ignore[reportMissingTypeStubs]
from moto.server import ThreadedMotoServer


@contextmanager
def s3_with(bucket: str) -> Generator[str]:
    """Its address; it has this bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    sdk: Any = boto3
    client = sdk.session.Session().client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="k",
        aws_secret_access_key="s",
    )
    client.create_bucket(Bucket=bucket)
    yield f"http://{host}:{port}"
    server.stop()
