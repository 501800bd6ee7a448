"""Shared by both training stages: the device, the clock, saving and resuming."""

import argparse
import math
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import torch
from torch import Tensor, distributed, multiprocessing, nn

from tools.demo_model.optimiser import Average, Muon, save
from tools.demo_model.report import report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options both stages have."""
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--threads", type=int, default=None, help="of the CPU; compiled into the kernels, so fixed"
    )
    parser.add_argument(
        "--until",
        required=True,
        metavar="HH:MM",
        help="UTC wall clock at which the rate reaches its end",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=1,
        help="share every batch; each process computes with --threads of its own",
    )
    parser.add_argument("--eager", action="store_true", help="do not compile")


def open_device(arguments: argparse.Namespace) -> torch.device:
    """Set the threads; returns the requested device."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.set_float32_matmul_precision("high")
    return torch.device(arguments.device)


def launch(train: Callable[[argparse.Namespace], None], arguments: argparse.Namespace) -> None:
    """Run a training in this process, or in the requested number of them, joined by gloo."""
    if arguments.processes == 1:
        train(arguments)
    else:
        (arguments.work / "meeting").unlink(missing_ok=True)
        work = (train, arguments)
        multiprocessing.start_processes(join_and_train, work, arguments.processes)


def join_and_train(
    rank: int, train: Callable[[argparse.Namespace], None], arguments: argparse.Namespace
) -> None:
    """What each of several processes runs."""
    meeting = f"file://{(arguments.work / 'meeting').resolve()}"
    distributed.init_process_group(
        "gloo", init_method=meeting, rank=rank, world_size=arguments.processes
    )
    train(arguments)
    distributed.destroy_process_group()


def half_precision(device: torch.device) -> AbstractContextManager:
    """Autocast to bfloat16 on whatever device this is."""
    return torch.autocast(device.type, torch.bfloat16)


def channels_last(x: Tensor) -> Tensor:
    """Convert to channels-last, the fastest memory layout for convolutions."""
    return x.contiguous(memory_format=torch.channels_last)


def as_floats(pixels: Tensor, device: torch.device | None = None) -> Tensor:
    """uint8 (N, height, width, 3) to floats (N, 3, height, width) in -1..1."""
    return channels_last(pixels.to(device).permute(0, 3, 1, 2).float() / 127.5 - 1)


def next_time(text: str) -> float:
    """The next HH:MM (UTC) as seconds since the epoch."""
    now = datetime.now(UTC)
    hour, minute = map(int, text.split(":"))
    moment = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (moment if moment > now else moment + timedelta(days=1)).timestamp()


@dataclass
class Clock:
    """A learning rate that follows the wall clock: a slow machine finishes its schedule too.

    `before` is the time that earlier runs spent; the cosine spans all of it.
    """

    end: float
    rate: float
    before: float = 0.0

    def __post_init__(self) -> None:
        self.start = time.time()

    @property
    def running(self) -> bool:
        """Whether there is time left."""
        return time.time() < self.end

    @property
    def spent(self) -> float:
        """Seconds of training, earlier runs included."""
        return self.before + time.time() - self.start

    def rate_at(self, step: int, warm_up: int = 100) -> float:
        """Warm-up in steps, then a cosine over the time."""
        share = min(1.0, self.spent / max(self.before + self.end - self.start, 1e-6))
        return (
            self.rate
            * min(1.0, (step + 1) / warm_up)
            * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))
        )


class Run:
    """A training under way: what is stepped, averaged, reported, saved and resumed."""

    def __init__(
        self,
        path: Path,
        model: nn.Module,
        optimiser: Muon,
        average: Average,
        clock: Clock,
        batch: int,
    ) -> None:
        self.path, self.model, self.optimiser, self.average = path, model, optimiser, average
        self.clock, self.batch, self.step = clock, batch, 0
        self.running = clock.running
        if path.exists():
            self.resume()
        torch.manual_seed(time.time_ns() % 2**31 + os.getpid())  # models start equal, data does not
        self.total, self.since, self.reported = torch.zeros(()), 0, time.monotonic()

    def resume(self) -> None:
        """Resume from the saved state."""
        state = torch.load(self.path, map_location=next(self.model.parameters()).device)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.load(state["average"])
        self.step, self.clock.before = state["step"], state["spent"]

    @property
    def leads(self) -> bool:
        """Whether this process reports and saves: the first, or the only one."""
        return not distributed.is_initialized() or distributed.get_rank() == 0

    def agree(self, rate: float) -> float:
        """Average the gradients over all processes; the first decides the rate and the end."""
        if not distributed.is_initialized():
            self.running = self.clock.running
            return rate
        trained = [p for p in self.model.parameters() if p.grad is not None]
        orders = torch.tensor([rate, float(self.clock.running)], device=trained[0].device)
        flat = torch.cat([*(p.grad.flatten() for p in trained), orders * self.leads])
        distributed.all_reduce(flat)
        *gradients, orders = flat.split([*(p.numel() for p in trained), 2])
        for p, gradient in zip(trained, gradients, strict=True):
            p.grad.copy_(gradient.view_as(p) / distributed.get_world_size())
        self.running = bool(orders[1])
        return orders[0].item()

    def advance(self, loss: Tensor, warm_up: int = 100) -> None:
        """One optimiser step on this loss."""
        loss.backward()
        self.optimiser.step(self.agree(self.clock.rate_at(self.step, warm_up)))
        self.step += 1
        self.average.update(self.step)
        self.total, self.since = self.total.to(loss.device) + loss.detach(), self.since + 1
        if self.step % 50 == 0 and self.leads:
            speed = self.since * self.batch / (time.monotonic() - self.reported)
            mean, spent = self.total.item() / self.since, self.clock.spent
            report(f"{self.step} loss {mean:.4f}  {speed:.1f} pictures/s  {spent:.0f} s")
            self.total, self.since, self.reported = torch.zeros(()), 0, time.monotonic()

    def write(self) -> None:
        """Save everything that resuming and exporting need."""
        if not self.leads:
            return
        state = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.shadow,
            "step": self.step,
            "spent": self.clock.spent,
            "samples": self.step * self.batch,
        }
        save(self.path, state)
