#!/usr/bin/env python3
"""Runs a command beside two real S3 servers: servers.py -- COMMAND...

s3s-fs (Rust) and moto_server (Python) are started on free ports, each with an empty bucket, and stopped in the
end. COCLI_TEST_S3 names them to the command: addresses with a space between. COCLI_TEST_S3_LAX names those of them
that are known to take a race of creates wrongly: s3s-fs looks whether an object is there, and writes it, in two
steps, and answers NoSuchKey where the bucket is missing. What is missing is installed:
moto by pip, s3s-fs by cargo into target/tools. One that cannot be had is said and left out; with
COCLI_TEST_S3_ALL=1 that fails."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
S3S = "0.14.1"
ACCESS, SECRET = "test", "secret-of-test"
BUCKET = "cocli"


def say(text):
    print(f"servers: {text}", file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def find_moto():
    found = shutil.which("moto_server")
    if not found:
        say("installing moto[server]")
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "moto[server]"], check=True, stdout=2
        )
        found = shutil.which("moto_server")
    return found


def find_s3s():
    tools = ROOT / "target" / "tools"
    for found in (shutil.which("s3s-fs"), tools / "bin" / "s3s-fs"):
        if found and Path(found).exists():
            return str(found)
    say(f"building s3s-fs {S3S} into {tools}")
    subprocess.run(
        ["cargo", "install", "--quiet", "--locked", "s3s-fs", "--version", S3S, "--features", "binary"]
        + ["--root", str(tools), "--target-dir", str(ROOT / "target" / "tools-build")],
        check=True,
        stdout=2,
    )
    return str(tools / "bin" / "s3s-fs")


def answers(port):
    for _ in range(200):
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return True
        except OSError:
            time.sleep(0.1)
    return False


def start(command, folder, name):
    log = open(Path(folder) / f"{name}.log", "wb")
    return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)


def start_s3s(folder):
    port, data = free_port(), Path(folder) / "s3s"
    # In s3s-fs a bucket is a directory.
    (data / BUCKET).mkdir(parents=True)
    keys = ["--access-key", ACCESS, "--secret-key", SECRET]
    command = [find_s3s(), "--host", "127.0.0.1", "--port", str(port), *keys, str(data)]
    return start(command, folder, "s3s-fs"), port


def start_moto(folder):
    port = free_port()
    return start([find_moto(), "-H", "127.0.0.1", "-p", str(port)], folder, "moto"), port


def make_bucket(port):
    """moto believes every signature."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    signed = f"AWS4-HMAC-SHA256 Credential={ACCESS}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    connection.request("PUT", f"/{BUCKET}", headers={"Authorization": signed})
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(f"servers: no bucket: {answer.status} {answer.read()[:300]}")


def stop(processes):
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(command, folder, processes):
    addresses, lax, missing = [], [], []
    for name, starter in (("s3s-fs", start_s3s), ("moto", start_moto)):
        try:
            process, port = starter(folder)
        except (OSError, subprocess.CalledProcessError, TypeError) as error:
            missing.append(f"{name}: {error}")
            continue
        processes.append(process)
        if not answers(port):
            missing.append(f"{name}: does not answer: {(Path(folder) / f'{name}.log').read_text()[-500:]}")
            continue
        if name == "moto":
            make_bucket(port)
        addresses.append(f"s3://{BUCKET}?endpoint=http://127.0.0.1:{port}&region=us-east-1")
        if name == "s3s-fs":
            lax.append(addresses[-1])
        say(f"{name} at port {port}")
    for one in missing:
        say(f"left out: {one}")
    if missing and os.environ.get("COCLI_TEST_S3_ALL") == "1":
        return 1
    environment = dict(os.environ, COCLI_TEST_S3=" ".join(addresses), COCLI_TEST_S3_LAX=" ".join(lax))
    return subprocess.run(command, env=environment).returncode


def main():
    command = sys.argv[1:]
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        raise SystemExit(__doc__)
    processes = []
    with tempfile.TemporaryDirectory(prefix="cocli-servers-") as folder:
        try:
            return run(command, folder, processes)
        finally:
            stop(processes)


if __name__ == "__main__":
    sys.exit(main())
