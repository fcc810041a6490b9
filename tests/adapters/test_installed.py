"""A payment adapter in a package of its own, built as a wheel and installed beside ours, pays a refund (X1)."""

import asyncio
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.adapters import example
from tests.adapters.acme import SECRET, Acme, serving

ROOT = Path(__file__).parents[2]
PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "acme-refunds"
version = "1.0"

[project.entry-points."aftersales.adapters"]
"payments.acme" = "acme_refunds:AcmeRefunds"

[tool.setuptools]
py-modules = ["acme_refunds"]
"""
PAYS = """
import asyncio, contextlib, importlib.util, sys
from activities.gateways.payment import RefundInstruction
from starter.adapters import payment_gateway
from starter.settings import load_settings

async def main():
    async with contextlib.AsyncExitStack() as stack:
        gateway = await payment_gateway(load_settings(), stack, None)
        refund = RefundInstruction(refund_no="RF0123456789abcdef0123-1-1", merchant_id="m", fund="order/1", tender="t",
                                   account=None, amount=500, currency="CNY")
        paid = await gateway.submit(refund)
        print(type(gateway).__module__, importlib.util.find_spec("acme_refunds").origin, paid.result, paid.gateway_ref)

asyncio.run(main())
"""


def environment(folder: Path) -> Path:
    """A fresh environment with the wheel; what ours has is seen through a path, as installed packages are."""
    sources, wheels = folder / "src", folder / "dist"
    sources.mkdir()
    (sources / "pyproject.toml").write_text(PROJECT)
    (sources / "acme_refunds.py").write_text(example.source(), encoding="utf-8")
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(wheels)], cwd=sources, check=True, capture_output=True)
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    (wheel,) = wheels.glob("acme_refunds-1.0-*.whl")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(packages)
    (packages / "ours.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
    return folder / "venv" / "bin" / "python"


@pytest.mark.slow
async def test_an_adapter_of_others_is_found_by_its_name_and_pays(tmp_path: Path) -> None:
    interpreter = environment(tmp_path)
    acme = Acme()
    async with serving(acme) as address:
        variables = {"AFTERSALES_PAYMENTS": "acme", "AFTERSALES_ACME_URL": address, "AFTERSALES_ACME_SECRET": SECRET}
        process = await asyncio.create_subprocess_exec(
            interpreter,
            "-c",
            PAYS,
            cwd=tmp_path,
            env={"PATH": str(interpreter.parent), "HOME": str(tmp_path), **variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, wrong = await process.communicate()

    assert process.returncode == 0, wrong.decode()
    module, origin, result, reference = said.decode().split()
    assert (module, result, reference) == ("acme_refunds", "succeeded", "ac_0")
    assert Path(origin).is_relative_to(tmp_path)
    assert acme.moved == [("RF0123456789abcdef0123_1_1", 500)]
