"""How a server asks sites something, and what of their answers it takes."""

from collections.abc import Callable, Mapping

from modalloy.errors import FederationError
from modalloy.federation.rounds_folder import RoundsFolder
from modalloy.federation.sites import Sites
from modalloy.federation.wire import Message, pack, unpack

ANSWERS = {
    "propose": "proposal",
    "agree": "agreed",
    "learn": "learned",
    "unmask": "unmasked",
    "score": "scored",
    "finish": "finished",
}


class Asking(RoundsFolder):
    """The part of a server that reaches sites. said: sentences for people, told as they come."""

    sites: Sites
    tell: Callable[[str], None]

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.said:
            self.said.append(text)
            self.tell(text)

    def ask(
        self, messages: Mapping[str, Message], *, deadline_s: float | None = None
    ) -> dict[str, Message]:
        """Answers of sites; one that cannot be read is left out, with the reason said. A site whose
        late answer of an earlier round came in the place of this one is asked again, once."""
        found = self.answers(messages, deadline_s)
        wanted = {ANSWERS[m.kind] for m in messages.values()}
        late = [s for s, m in found.items() if m.kind not in wanted]
        again = {s: messages[s] for s in late if s in messages}
        found = {s: m for s, m in found.items() if s not in late}
        if again:
            more = self.answers(again, deadline_s)
            found |= {s: m for s, m in more.items() if m.kind in wanted}
        return found

    def answers(
        self, messages: Mapping[str, Message], deadline_s: float | None
    ) -> dict[str, Message]:
        """What comes now, of whatever was asked; one that cannot be read is left out."""
        packed = {site: pack(message, self.mark) for site, message in messages.items()}
        self.down += sum(map(len, packed.values()))
        found: dict[str, Message] = {}
        for site, data in sorted(self.sites.ask(packed, deadline_s=deadline_s).items()):
            self.up += len(data)
            try:
                found[site] = unpack(data, self.mark)
            except FederationError as error:
                self.note(f"{site}: left out, because {error}")
        for site, why in sorted(self.sites.reasons.items()):
            self.note(f"{site}: did not answer: {why}")
        return found
