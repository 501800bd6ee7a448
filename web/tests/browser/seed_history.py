"""Write a history of many results into a user directory before a server opens it, for tests."""

import asyncio
import json
import sys
import time
from pathlib import Path

from PIL import Image, ImageDraw

from engine.server.notes import note_of
from engine.store.database import Database
from engine.store.gallery import Gallery
from engine.store.queue import End, Entry, Queue

DAY = 86_400
PICTURES = 12
SUBJECTS = ("a red fox in the snow", "a lighthouse at night", "an old tree", "a blue boat")


def paint(folder: Path) -> None:
    """Write twelve distinguishable pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(PICTURES):
        picture = Image.new("RGB", (96, 96), (20 * number, 120, 255 - 20 * number))
        ImageDraw.Draw(picture).ellipse((20, 20, 76, 76), fill=(250, 240 - 15 * number, 90))
        picture.save(folder / f"seeded_{number:02}.png")


def prompt_of(number: int) -> dict:
    """A prompt with its own seed and text."""
    return {
        "3": {
            "class_type": "KSampler",
            "inputs": {"seed": 100_000 + number, "steps": 24, "cfg": 4.0, "positive": ["6", 0]},
        },
        "6": {
            "class_type": "CLIPTextEncode",
            "inputs": {"text": f"{SUBJECTS[number % len(SUBJECTS)]}, take {number}"},
        },
    }


async def fill(user: Path, count: int, workflow: dict) -> None:
    """Write `count` results over thirty days; every fiftieth failed."""
    database = Database(user / "calotype.db")
    queue, now = Queue(database), time.time() - 60

    async def put(number: int) -> None:
        created = now - 30 * DAY * (count - number) / count
        extra = {"extra_pnginfo": {"workflow": workflow}, "calotype": {"title": "Seeded"}}
        prompt = prompt_of(number)
        entry = Entry(
            f"seeded-{number:05}",
            prompt,
            ["9"],
            extra,
            workflow="seeded-workflow",
            created=created,
            note=note_of(prompt, extra),
        )
        await queue.put(entry)

    # Concurrently, as one after the other would each wait for the disk.
    await asyncio.gather(*map(put, range(count)))
    ends = [end_of(f"seeded-{number:05}", number) for number in range(count)]
    await database.run(
        lambda connection: connection.executemany(
            "UPDATE prompts SET state = ?, outcome = ?, summary = ?, began = created,"
            " ended = created + 2.5 WHERE id = ?",
            [
                (end.ending, json.dumps(end.outcome), json.dumps(end.summary), end.id)
                for end in ends
            ],
        )
    )
    await Gallery(database).star([f"seeded-{count - 10:05}"], starred=True)
    database.close()


def end_of(prompt_id: str, number: int) -> End:
    """The outcome of a job, with its picture."""
    if number % 50 == 0:
        error = {"exception_message": "the picture had no size", "node_type": "KSampler"}
        return End(prompt_id, "failed", {"outputs": {}}, 0.0, {"execution_error": error})
    file = {"filename": f"seeded_{number % PICTURES:02}.png", "subfolder": "", "type": "output"}
    summary = {
        "outputs_count": 1,
        "preview_output": {**file, "nodeId": "9", "mediaType": "images"},
    }
    return End(prompt_id, "done", {"outputs": {"9": {"images": [file]}}}, 0.0, summary)


if __name__ == "__main__":
    [user_folder, output_folder, amount, workflow_file] = sys.argv[1:]
    paint(Path(output_folder))
    document = json.loads(Path(workflow_file).read_text(encoding="utf-8"))
    asyncio.run(fill(Path(user_folder), int(amount), document))
