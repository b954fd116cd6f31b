"""What a service follows beside HTTP: a folder, a topic of a broker."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from modalloy.errors import JobError, TableError
from modalloy.following.mqtt import Broker
from modalloy.machine.imports import require
from modalloy.serving.followed import Follower, folder_follower, mqtt_follower


class Sources(NamedTuple):
    """follow: a folder whose files are rows. mqtt: address of a topic whose messages are. password:
    a file with the broker's password.
    """

    follow: Path | None = None
    mqtt: str | None = None
    password: Path | None = None

    def check(self) -> None:
        """JobError and TableError for what cannot be followed, before a model is loaded."""
        if self.follow is not None and not self.follow.is_dir():
            raise TableError(f"{self.follow}: there is no such folder to follow; make it first.")
        if self.mqtt is not None:
            require("paho", "mqtt", "--mqtt")
            Broker.of(self.mqtt)
        elif self.password is not None:
            raise JobError("--mqtt-password: there is no broker; give --mqtt as well.")
        self._secret()

    def followers(self, live: Path, say: Callable[[str], None]) -> list[Follower]:
        """What follows them."""
        found = []
        if self.follow is not None:
            found.append(folder_follower(self.follow, live, say))
        if self.mqtt is not None:
            found.append(mqtt_follower(Broker.of(self.mqtt), live, self._secret(), say))
        return found

    def told(self) -> Iterator[str]:
        """What is followed, in sentences."""
        if self.follow is not None:
            yield f"Rows of {self.follow} are answered into {self.follow / 'answers'}."
        if self.mqtt is not None:
            broker = Broker.of(self.mqtt)
            topic = broker.topic
            yield f"Messages of {topic} at {broker.host} are answered on {topic}/answers."

    def _secret(self) -> str | None:
        if self.password is None:
            return None
        try:
            return self.password.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise JobError(
                f"--mqtt-password: {self.password}: cannot be read ({error})."
            ) from error
