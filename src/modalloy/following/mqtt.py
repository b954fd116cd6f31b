"""Rows that arrive as MQTT messages, answered on a topic beside theirs; each message once."""

import json
import threading
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from modalloy.errors import JobError, RunError, TableError
from modalloy.following.follow import AT_ONCE, EVERY_S, Answering, answer_each, go_on
from modalloy.following.journal import Answered, Journal
from modalloy.following.lines import from_json
from modalloy.machine.imports import require

AT_LEAST_ONCE = 1  # MQTT's quality of service
LARGEST = 8 << 20  # bytes of a message
AGAIN_S = 1.0  # between two tries to write a message down
LARGE = 10**18  # no number that is kept is larger
NUMBER = "number"  # the field of a message by which it is known if it comes twice


class Broker(NamedTuple):
    """Where messages come from: `mqtt://[user@]host[:port]/topic`, or `mqtts://` with TLS."""

    host: str
    port: int
    topic: str
    tls: bool
    user: str | None

    @classmethod
    def of(cls, url: str) -> "Broker":
        """JobError for what is no address of a topic, and for a password in it."""
        try:
            found = urlsplit(url)
            port = found.port
        except ValueError as error:
            raise JobError(f"'{url}': {error}.") from error
        topic = found.path.strip("/")
        if found.scheme not in ("mqtt", "mqtts") or not found.hostname or not topic:
            raise JobError(f"'{url}': write mqtt://host:1883/topic, or mqtts:// for TLS.")
        if found.password is not None:
            raise JobError(
                "An address with a password is seen by everybody who lists processes; "
                "name a file with it by --mqtt-password."
            )
        tls = found.scheme == "mqtts"
        return cls(found.hostname, port or (8883 if tls else 1883), topic, tls, found.username)


def cells_of(payload: bytes, retained: bool) -> tuple[int | None, dict[str, Any]]:
    """A message's number, and its cells. TableError where it is no row."""
    if len(payload) > LARGEST:
        raise TableError(f"a message of {len(payload) >> 20} MB; {LARGEST >> 20} MB are read.")
    try:
        found = from_json(payload)
    except ValueError as error:
        raise TableError(f"no JSON: {error}") from error
    if not isinstance(found, dict):
        raise TableError("a JSON object with a value a column is expected")
    if retained and NUMBER not in found:
        raise TableError(f"a retained message without '{NUMBER}' comes at every connection")
    number = found.pop(NUMBER, None)
    whole = isinstance(number, int) and not isinstance(number, bool) and abs(number) < LARGE
    if number is not None and not whole:
        raise TableError(
            f"'{NUMBER}' is {number!s:.60}; a whole number of at most 18 digits tells one message "
            "from another"
        )
    return number, found


def follow_mqtt(
    broker: Broker,
    journal: Journal,
    answering: Answering,
    *,
    stop: threading.Event,
    say: Callable[[str], None],
    password: str | None = None,
    client_id: str = "modalloy",
) -> None:
    """Answer messages of a topic on `TOPIC/answers` until `stop` is set.

    A message is a JSON object with a cell a column, and `number` by which it is known when the
    broker delivers it again; without it each delivery is a row of its own. It is acknowledged to
    the broker once it is written down, so that none is lost while this process is away (the
    broker keeps a session of the client's name). Cells of pictures and recordings are files in
    base64. What cannot be written for the time being (a full disk) is said once, and tried again.
    RunError where the broker cannot be reached.
    """
    client = connected(broker, journal, say, stop, password, client_id)

    def work() -> bool:
        rows = journal.waiting(AT_ONCE)
        if rows:
            journal.answered(answer_each(answering, rows))
        return bool(publish(client, broker, journal) or rows)

    client.loop_start()
    try:
        go_on(work, stop=stop, say=say, every_s=EVERY_S / 10)
    finally:
        client.disconnect()
        client.loop_stop()
        journal.close()


def connected(
    broker: Broker,
    journal: Journal,
    say: Callable[[str], None],
    stop: threading.Event,
    password: str | None,
    client_id: str,
) -> Any:
    """A client of the broker that writes down what arrives."""
    require("paho", "mqtt", "MQTT")
    import paho.mqtt.client as paho

    version = paho.CallbackAPIVersion.VERSION2
    client = paho.Client(version, client_id, clean_session=False, manual_ack=True)
    client.on_connect = subscribing(broker, say)
    client.on_message = writing_down(f"mqtt:{broker.topic}", journal, say, stop)
    if broker.user is not None:
        client.username_pw_set(broker.user, password)
    if broker.tls:
        client.tls_set()
    try:
        client.connect(broker.host, broker.port)
    except OSError as error:
        raise RunError(f"{broker.host}:{broker.port}: no broker answers ({error}).") from error
    return client


def subscribing(broker: Broker, say: Callable[[str], None]) -> Callable[..., None]:
    """What is done at each connection."""

    def done(client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            say(f"{broker.host}: refuses the connection ({reason}).")
        else:
            client.subscribe(broker.topic, AT_LEAST_ONCE)

    return done


def writing_down(
    source: str, journal: Journal, say: Callable[[str], None], stop: threading.Event
) -> Callable[..., None]:
    """What is done with each message: written down, then acknowledged.

    While the disk is full a message is held on to, and no other is taken: the broker keeps them.
    """

    def write(number: int | None, cells: dict[str, Any]) -> None:
        taken = journal.next_number(source) if number is None else number
        if not journal.take(source, [(taken, cells)]):
            journal.publish_again(source, taken)

    def done(client: Any, data: Any, message: Any) -> None:
        try:
            number, cells = cells_of(message.payload, message.retain)
        except TableError as error:
            say(f"{source}: a message is left out: {error}.")
        else:
            if not persist(lambda: write(number, cells), stop, say):
                return  # told to stop: not acknowledged, it comes again
        client.ack(message.mid, message.qos)

    return done


def persist(write: Callable[[], None], stop: threading.Event, say: Callable[[str], None]) -> bool:
    """Write until it is written, saying once why it is not; False where `stop` is set before."""
    troubled = ""
    while True:
        try:
            write()
        except RunError as error:
            if str(error) != troubled:
                troubled = str(error)
                say(troubled)
        else:
            return True
        if stop.wait(AGAIN_S):
            return False


def publish(client: Any, broker: Broker, journal: Journal) -> int:
    """Give out answers that nobody was given yet; each counts once the broker has it."""
    given = journal.unpublished(AT_ONCE)
    sent = [
        (one, client.publish(f"{broker.topic}/answers", message_of(one), AT_LEAST_ONCE))
        for one in given
    ]
    done = []
    for one, info in sent:
        try:
            info.wait_for_publish(timeout=10.0)
        except (RuntimeError, ValueError):  # not connected now: it waits
            continue
        if info.is_published():
            done.append(one)
    if done:
        journal.published(done)
    return len(done)


def message_of(one: Answered) -> str:
    """An answer as a message."""
    told = {NUMBER: one.number, "version": one.version}
    said = {"error": one.fault} if one.answer is None else {"answer": one.answer}
    return json.dumps(told | said)
