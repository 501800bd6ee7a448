"""Forms are in memory except for their file: the size and number of their fields are limited."""

from aiohttp import FormData


def form(fields):
    data = FormData(quote_fields=False)
    data.add_field("image", b"x", filename="a.png")
    for name, value in fields:
        data.add_field(name, value)
    return data


def sent(serving, settings, fields):
    async def scenario(client):
        answer = await client.post("/upload/image", data=form(fields))
        return answer.status, await answer.text()

    status, text = serving(scenario)
    assert not list(settings.input_directory.glob(".*"))
    return status, text


def test_fields_have_a_total(serving, settings):
    status, text = sent(serving, settings, [(f"f{i}", "z" * 60_000) for i in range(20)])
    assert (status, "1 MB together" in text) == (413, True)
    assert sent(serving, settings, [(f"f{i}", "z" * 60_000) for i in range(16)])[0] == 200


def test_names_of_fields_count(serving, settings):
    assert sent(serving, settings, [("n" * 7000 + str(i), "") for i in range(99)])[0] == 200
    assert (
        sent(serving, settings, [("n" * 7000 + str(i), "z" * 60_000) for i in range(16)])[0] == 413
    )


def test_there_are_a_hundred_parts_at_most(serving, settings):
    assert sent(serving, settings, [(f"f{i}", "") for i in range(99)])[0] == 200
    status, text = sent(serving, settings, [(f"f{i}", "") for i in range(100)])
    assert (status, "at most 100" in text) == (413, True)
    # Repeating a name takes no more memory, but a million repetitions take time.
    assert sent(serving, settings, [("f", "")] * 5000)[0] == 413


def test_a_field_has_a_size(serving, settings):
    status, text = sent(serving, settings, [("subfolder", "z" * 70_000)])
    assert (status, "64 kB" in text) == (413, True)
