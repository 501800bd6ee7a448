"""Video and sound through the HTTP API: made, saved, uploaded, cut, and found again."""

import json
import urllib.request
import uuid

import pytest
import torch

from engine.audiovisual.video import VideoFromFile
from engine.audiovisual.video_reader import read_documents


def node(class_type, **inputs):
    return {"class_type": class_type, "inputs": inputs}


IMAGES = {
    "one": node("EmptyImage", width=64, height=48, batch_size=6, color=0x3060C0),
    "two": node("EmptyImage", width=64, height=48, batch_size=6, color=0xF0C020),
    "images": node("ImageBatch", image1=["one", 0], image2=["two", 0]),
    "sound": node("EmptyAudio", duration=1.0, sample_rate=16_000, channels=1),
}
MADE = {
    **IMAGES,
    "video": node("CreateVideo", images=["images", 0], fps=12.0, audio=["sound", 0]),
    "saved": node(
        "SaveVideo", video=["video", 0], filename_prefix="film", format="auto", codec="auto"
    ),
    "heard": node("SaveAudioMP3", audio=["sound", 0], filename_prefix="sound", quality="V0"),
}


def cut(name):
    return {
        "film": node("LoadVideo", file=name),
        "part": {
            "class_type": "Video Slice",
            "inputs": {
                "video": ["film", 0],
                "start_time": 0.25,
                "duration": 0.5,
                "strict_duration": False,
            },
        },
        "parts": node("GetVideoComponents", video=["part", 0]),
        "saved": node(
            "SaveWEBM",
            images=["parts", 0],
            filename_prefix="part",
            codec="vp9",
            fps=["parts", 2],
            crf=20.0,
        ),
        "heard": node("PreviewAudio", audio=["parts", 1]),
    }


def upload(server, name, content):
    boundary = uuid.uuid4().hex
    head = f'Content-Disposition: form-data; name="image"; filename="{name}"'
    begin, end = f"--{boundary}\r\n{head}\r\n\r\n", f"\r\n--{boundary}--\r\n"
    body = begin.encode() + content + end.encode()
    request = urllib.request.Request(
        f"{server.address}upload/image",
        body,
        {"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())["name"]


def run(server, real, prompt):
    async def scenario(browser):
        await browser.worker_ready()
        return await browser.ended(await browser.queue(prompt))

    return real.with_browser(server, scenario)


def test_a_film_is_made_uploaded_cut_and_carries_its_workflow(server, real):
    entry = run(server, real, MADE)
    assert entry["status"]["status_str"] == "success", entry["status"]
    [shown] = entry["outputs"]["saved"]["images"]
    assert entry["outputs"]["saved"]["animated"] == [True]
    [sound] = entry["outputs"]["heard"]["audio"]
    output = server.user / "output"
    assert (
        read_documents(output / sound["filename"])["prompt"]["heard"]["class_type"]
        == "SaveAudioMP3"
    )
    path = output / shown["filename"]
    parts = VideoFromFile(path).get_components()
    assert parts.images.shape == (12, 48, 64, 3)
    assert parts.metadata["prompt"] == MADE
    url = f"{server.address}view?filename={shown['filename']}&type=output"
    with urllib.request.urlopen(url, timeout=60) as answer:
        assert answer.headers["Content-Type"] == "video/mp4"

    name = upload(server, "mine.mp4", path.read_bytes())
    with urllib.request.urlopen(f"{server.address}object_info/LoadVideo", timeout=60) as answer:
        info = json.loads(answer.read())["LoadVideo"]["input"]["required"]["file"]
    assert name in info[0]
    assert info[1]["video_upload"] is True
    entry = run(server, real, cut(name))
    assert entry["status"]["status_str"] == "success", entry["status"]
    [shown] = entry["outputs"]["saved"]["images"]
    found = VideoFromFile(output / shown["filename"]).get_components()
    assert found.images.shape[0] == 6
    assert torch.allclose(found.images[0], parts.images[3], atol=0.03)
    assert entry["outputs"]["heard"]["audio"][0]["type"] == "temp"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"#EXTM3U\n#EXTINF:5,\n/etc/passwd\n", "no video or sound that can be read"),
        (b"<html>gone</html>", "no video or sound that can be read"),
    ],
)
def test_what_is_no_film_costs_its_job_and_is_told(server, real, content, expected):
    name = upload(server, f"{uuid.uuid4().hex}.mp4", content)
    entry = run(server, real, cut(name))
    kind, data = entry["status"]["messages"][-1]
    assert kind == "execution_error"
    assert data["node_type"] == "Video Slice"
    assert expected in data["exception_message"]
    assert name in data["exception_message"]
