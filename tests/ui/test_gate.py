"""The served app: a visitor's share of events, the health check, the page's own files, and that nobody else waits."""

import asyncio
import gzip
import json
import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.conftest import played
from ui.core.lanes import FULL
from ui.core.streams import HELD, Held

LONG = {"view": "race", "steps": 400}


class Visitor:
    """One browser session without a browser: it joins the queue, and listens where it is told to."""

    def __init__(self, url, config):
        self.url, self.session = url.rstrip("/"), uuid.uuid4().hex
        self.function = next(d["id"] for d in config["dependencies"] if d.get("api_name") == "moe")
        self.stream = None

    def ask(self, data):
        """The status of one event that is joined: 200 or the refusal's."""
        body = json.dumps({"data": data, "fn_index": self.function, "session_hash": self.session}).encode()
        request = urllib.request.Request(f"{self.url}/gradio_api/queue/join", body,
                                         {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def listen(self, **headers):
        """Open the session's stream of events and wait for the first."""
        url = f"{self.url}/gradio_api/queue/data?session_hash={self.session}"
        self.stream = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60)
        self.stream.readline()

    def hear(self, *wanted):
        """The kind of the next message on the stream that is one of these."""
        for line in self.stream:
            kind = json.loads(line[6:])["msg"] if line.startswith(b"data: ") else None
            if kind in wanted:
                return kind
        return "the end"


@pytest.fixture(scope="module")
def client(app_url):
    return Client(app_url, verbose=False)


@pytest.fixture(scope="module")
def given(client):
    """The data of an event of ``/moe``, with some parameters set."""
    info = client.view_api(return_format="dict", print_info=False)["named_endpoints"]["/moe"]["parameters"]

    def data(**named):
        return [named.get(p["parameter_name"], p["parameter_default"]) for p in info]

    return data


def test_the_ninth_event_of_a_visitor_is_refused_with_one_sentence_and_nobody_else_waits(app_url, client, given):
    flooder = Visitor(app_url, client.config)
    with ThreadPoolExecutor(24) as crowd:
        answers = list(crowd.map(lambda _: flooder.ask(given(**LONG)), range(24)))
    taken = [status for status, _ in answers if status == 200]
    refused = [content for status, content in answers if status == 429]
    assert len(taken) >= 8 and refused and len(taken) + len(refused) == 24
    assert refused[0]["detail"] == "You have 8 requests under way already; please wait for their answers."
    assert Visitor(app_url, client.config).ask(given(view="calculator"))[0] == 200
    assert client.predict(view="calculator", api_name="/moe")["finished"] is True


def test_a_new_session_for_every_event_leaves_instant_work_untouched(app_url, client, given):
    for _ in range(40):
        Visitor(app_url, client.config).ask(given(**LONG))
    assert client.predict(view="calculator", api_name="/moe")["finished"] is True
    ends = time.monotonic() + 60
    while True:                                         # what nobody listens to leaves the line
        try:
            assert client.predict(view="race", steps=25, alphas=["0"], api_name="/moe")["finished"] is True
            break
        except AppError as full:
            assert FULL in str(full) and time.monotonic() < ends
            time.sleep(1)


@pytest.mark.case("A visitor leaves mid-stream", "Ten minutes of work are dropped, and the next visitor is served.")
def test_a_long_run_ends_when_its_visitor_leaves(app_url, client, given):
    """The next visitor's short run is reached although ten minutes of work stood before it."""
    visitors = [Visitor(app_url, client.config) for _ in range(3)]
    for one in visitors:
        assert one.ask(given(**LONG))[0] == 200
        one.listen()
    for one in visitors:
        one.stream.close()
    assert client.predict(view="race", steps=25, alphas=["0"], api_name="/moe")["finished"] is True


def test_a_browsers_stream_stays_open_between_events_and_closes_in_the_end(app_url, client, given):
    """An event that comes while gradio closes a stream would lose its answer."""
    browser = Visitor(app_url, client.config)
    browser.ask(given(view="calculator"))
    browser.listen(**{"Sec-Fetch-Mode": "cors"})
    ends = "process_completed", "close_stream"
    assert browser.hear(*ends) == "process_completed"
    assert browser.ask(given(view="calculator", experts=4))[0] == 200
    assert browser.hear(*ends) == "process_completed"
    browser.stream.close()
    other = Visitor(app_url, client.config)
    other.ask(given(view="calculator"))
    other.listen()
    assert other.hear(*ends) == "process_completed" and other.hear(*ends) == "close_stream"


def test_a_held_stream_is_let_go_when_nothing_is_asked():
    class Queue:
        pending_event_ids_session: ClassVar = {"me": {"an event"}}
        pending_messages_per_session: ClassVar = {"me": asyncio.Queue()}

    async def story():
        held = Held(Queue, "me", 0.2, None, None)
        holding = asyncio.create_task(held.hold())
        await asyncio.sleep(0.5)
        assert not holding.done()                       # an event is under way
        Queue.pending_event_ids_session["me"].remove("an event")
        await holding
        assert Queue.pending_messages_per_session["me"].get_nowait().event_id == HELD
        held.free()
        assert Queue.pending_event_ids_session == {}

    played(story())


def test_the_health_check_answers_without_computing(app_url):
    with urllib.request.urlopen(f"{app_url}healthz", timeout=30) as answer:
        assert json.load(answer) == {"status": "ok"}


@pytest.mark.parametrize("name", ["js/wire.js", "tabs/moe/stage.js", "zh.json", "thumbs/chelsea.webp"])
def test_own_files_are_compressed_and_revalidated(app_url, name):
    request = urllib.request.Request(f"{app_url}glass/{name}", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        content, tag, packed = answer.read(), answer.headers["etag"], answer.headers.get("content-encoding") == "gzip"
    assert packed or name.endswith(".webp")
    assert gzip.decompress(content) if packed else content
    request.add_header("If-None-Match", tag)
    with pytest.raises(urllib.error.HTTPError) as unchanged:
        urllib.request.urlopen(request, timeout=30)
    assert unchanged.value.code == 304


@pytest.mark.parametrize("name", ["../app.py", "tabs/moe/presets.py", "js/../../app.py", "%2e%2e/app.py"])
def test_no_other_file_is_served(app_url, name):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{app_url}glass/{name}", timeout=30)
    assert refused.value.code == 404


def test_the_first_page_is_small(app_url):
    request = urllib.request.Request(app_url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        content = answer.read()
    assert answer.headers["content-encoding"] == "gzip" and len(gzip.decompress(content)) < 600_000


