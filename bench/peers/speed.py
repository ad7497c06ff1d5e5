#!/usr/bin/env python3
"""The networks of shapes.json by diffusers and by Calotype, in turns.

    python3 bench/peers/speed.py build/dev/bench/model_speed [--rounds 5] [--seconds 2]
        [--shape NAME] [--threads N] [--device cpu|cuda]

Needs a Python with torch and diffusers; without them only Calotype is measured. Prints medians of
images or samples a second as a Markdown table, and of each row the ratio of Calotype to the best of
diffusers, whose tensors are tried in both layouts. bf16 trains under autocast, as people train, and
encodes, decodes and denoises with weights in bf16.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

FILE = pathlib.Path(__file__).resolve().parent.parent / "shapes.json"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", help="build/.../bench/model_speed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--shape", help="only the one of this name")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    return parser.parse_args()


def calotype_speed(options, shape, task, precision):
    """Images a second in one round of the program."""
    command = [options.program, "--shapes", FILE, "--shape", shape["name"], "--task", task,
               "--precision", precision, "--rounds", "1", "--seconds", str(options.seconds),
               "--threads", str(options.threads), "--device", options.device]
    environment = dict(os.environ, OMP_WAIT_POLICY="passive")
    answer = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)["per_s"]


class Peer:
    """A network by diffusers, and what it does once for each batch."""

    def __init__(self, torch, diffusers, shape, task, precision, layout, device):
        keys = {key: value for key, value in shape["model"].items() if key != "_class_name"}
        model = getattr(diffusers, shape["model"]["_class_name"])(**keys).to(device)
        self.synchronise = torch.cuda.synchronize if device == "cuda" else lambda: None
        self.batch = shape["batch"]
        trains = task == "train"
        weights = torch.bfloat16 if precision == "bf16" and not trains else torch.float32
        order = torch.channels_last if layout == "channels-last" else torch.contiguous_format
        model.to(dtype=weights, memory_format=order)
        model.train(trains)
        data = torch.rand(self.batch, *shape["size"], device=device) * 2 - 1
        data = data.to(dtype=weights).contiguous(memory_format=order)
        times = torch.arange(self.batch, device=device)
        if task == "decode":
            with torch.no_grad():
                data = torch.zeros_like(model.encode(data).latent_dist.mean)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4) if trains else None
        autocast = torch.autocast(device, torch.bfloat16, enabled=trains and precision == "bf16")

        def loss():
            if shape["model"]["_class_name"] == "AutoencoderKL":
                posterior = model.encode(data).latent_dist
                return (model.decode(posterior.sample()).sample - data).square().mean() \
                    + 1e-3 * posterior.kl().mean() / data[0].numel()
            return (model(data, times).sample - data).square().mean()

        def step():
            optimizer.zero_grad()
            with autocast:
                value = loss()
            value.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

        def answer():
            with torch.inference_mode():
                if task == "encode":
                    model.encode(data).latent_dist.mean
                elif task == "decode":
                    model.decode(data).sample
                else:
                    model(data, times).sample

        self.work = step if trains else answer

    def speed(self, seconds):
        begin, count = time.perf_counter(), 0
        while count < 2 or time.perf_counter() - begin < seconds:
            self.work()
            self.synchronise()
            count += 1
        return count * self.batch / (time.perf_counter() - begin)


def peers_of(options, shape, task, precision):
    """Peers by their names; none where diffusers is not there or has no such class."""
    try:
        import diffusers
        import torch
    except ImportError:
        return {}
    if not hasattr(diffusers, shape["model"]["_class_name"]):
        return {}
    torch.set_num_threads(options.threads)
    peers = {}
    for layout in ("channels apart", "channels-last"):
        peer = Peer(torch, diffusers, shape, task, precision, layout, options.device)
        peer.speed(0)
        peers[layout] = peer
    return peers


def row_of(options, shape, task, precision):
    peers = peers_of(options, shape, task, precision)
    ours, theirs = [], {layout: [] for layout in peers}
    for _ in range(options.rounds):
        ours.append(calotype_speed(options, shape, task, precision))
        for layout, peer in peers.items():
            theirs[layout].append(peer.speed(options.seconds))
    best = max((statistics.median(speeds) for speeds in theirs.values()), default=None)
    mine = statistics.median(ours)
    ratio = "–" if best is None else f"{mine / best:.2f}"
    best = "–" if best is None else f"{best:.3g}"
    return f"| {shape['name']}, {task} | {precision} | {mine:.3g} | {best} | {ratio} |"


def main():
    options = arguments()
    print("| network, task | precision | Calotype, a second | diffusers | ratio |")
    print("|---|---|---|---|---|")
    for shape in json.loads(FILE.read_text()):
        if options.shape not in (None, shape["name"]):
            continue
        for task in shape["tasks"]:
            for precision in ("fp32", "bf16"):
                print(row_of(options, shape, task, precision), flush=True)


if __name__ == "__main__":
    sys.exit(main())
