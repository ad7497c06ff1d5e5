"""Packs calotype_store.py as a wheel (PEP 517, PEP 427) with Python alone, so that
`pip install ./python` needs no network. It becomes a package with a py.typed, as only
packages can be marked as typed (PEP 561)."""

import base64
import hashlib
import pathlib
import zipfile

NAME, VERSION = "calotype_store", "1.0"
METADATA = f"""Metadata-Version: 2.1
Name: calotype-store
Version: {VERSION}
Summary: Reads Calotype's latent stores with numpy alone
Requires-Python: >=3.9
Requires-Dist: numpy>=1.20
"""
WHEEL = """Wheel-Version: 1.0
Generator: calotype
Root-Is-Purelib: true
Tag: py3-none-any
"""


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    about = f"{NAME}-{VERSION}.dist-info"
    files = {
        f"{NAME}/__init__.py": pathlib.Path(f"{NAME}.py").read_text(encoding="utf-8"),
        f"{NAME}/py.typed": "",
        f"{about}/METADATA": METADATA,
        f"{about}/WHEEL": WHEEL,
    }
    record = f"{about}/RECORD"
    lines = [f"{record},,\n"]
    for name, text in files.items():
        digest = hashlib.sha256(text.encode()).digest()
        code = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        lines.append(f"{name},sha256={code},{len(text.encode())}\n")
    wheel = f"{NAME}-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / wheel, "w", zipfile.ZIP_DEFLATED) as out:
        for name, text in {**files, record: "".join(sorted(lines))}.items():
            out.writestr(zipfile.ZipInfo(name), text)
    return wheel
