"""How messages are encoded on their way to and from Temporal."""

from temporalio.contrib.pydantic import pydantic_data_converter

data_converter = pydantic_data_converter
