"""The tree: what each verb does, and that none of them destroys anything."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nbconvo.conversation import Conversation
from nbconvo.errors import InputError
from nbconvo.messages import Cell, Message, Role, Usage


def user(content: str = "?", **fields) -> Message:
    return Message(role="user", content=content, **fields)


def reply(content: str = "!", **fields) -> Message:
    return Message(role="assistant", content=content, **fields)


def contents(conversation: Conversation) -> list[str]:
    return [message.content for message in conversation.messages]


def talk(*exchanges: str) -> Conversation:
    """A conversation in which ``"a"`` was answered ``"A"``."""
    conversation = Conversation()
    for asked in exchanges:
        conversation.append(user(asked), reply(asked.upper()))
    return conversation


# --- reading -------------------------------------------------------------------------------


def test_a_new_conversation_is_empty():
    conversation = Conversation()
    assert conversation.messages == ()
    assert conversation.leaf is None
    assert conversation.last is None
    assert len(conversation) == 0
    assert conversation.usage == Usage()


def test_messages_are_the_active_path_first_to_last():
    assert contents(talk("a", "b")) == ["a", "A", "b", "B"]


def test_responses_are_the_replies_of_the_path():
    assert [message.content for message in talk("a", "b").responses] == ["A", "B"]


def test_last_is_the_last_reply_also_when_a_question_follows():
    conversation = talk("a")
    conversation.append(user("b"))
    assert conversation.last.content == "A"


def test_usage_counts_replies_off_the_path():
    conversation = Conversation()
    conversation.append(user(), reply(usage=Usage(1, 2, requests=1)))
    conversation.undo()
    conversation.append(user(), reply(usage=Usage(10, 20, requests=1)))
    assert conversation.usage == Usage(11, 22, requests=2)


def test_path_leads_to_any_message_without_selecting_it():
    conversation = talk("a", "b")
    first_reply = conversation.messages[1]
    assert [m.content for m in conversation.path(first_reply.id)] == ["a", "A"]
    assert contents(conversation) == ["a", "A", "b", "B"]


def test_parent_of_a_first_message_is_none():
    conversation = talk("a")
    first, second = conversation.messages
    assert conversation.parent(first.id) is None
    assert conversation.parent(second.id) == first.id


def test_alternatives_are_oldest_first_and_hold_the_message_itself():
    conversation = talk("a")
    question, old = conversation.messages
    conversation.branch(question.id)
    conversation.append(new := reply("A2"))
    assert conversation.alternatives(new.id) == (old, new)
    assert conversation.alternatives(old.id) == (old, new)


def test_alternatives_are_of_one_role():
    conversation = Conversation()
    conversation.append(user("a"))
    (question,) = conversation.messages
    conversation.append(reply("A"))
    conversation.branch(question.id)
    conversation.append(again := user("b"))
    assert conversation.alternatives(again.id) == (again,)


@pytest.mark.parametrize("verb", ["path", "parent", "alternatives", "branch", "select"])
def test_an_unknown_message_is_named(verb):
    with pytest.raises(InputError, match="no message 'nowhere'"):
        getattr(talk("a"), verb)("nowhere")


def test_iteration_gives_all_branches_in_order_of_arrival():
    conversation = talk("a")
    conversation.reset()
    conversation.append(user("b"))
    assert [message.content for message in conversation] == ["a", "A", "b"]
    assert all(message.id in conversation for message in conversation)


# --- cells ---------------------------------------------------------------------------------


def test_asked_from_finds_the_turn_of_an_earlier_execution_of_the_cell():
    conversation = Conversation()
    conversation.append(turn := user(cell=Cell("c1", "run 1")), reply())
    assert conversation.asked_from(Cell("c1", "run 2")) == turn


def test_asked_from_passes_over_the_same_execution():
    conversation = Conversation()
    conversation.append(user(cell=Cell("c1", "run 1")), reply())
    assert conversation.asked_from(Cell("c1", "run 1")) is None


def test_asked_from_looks_at_the_active_path_only():
    conversation = Conversation()
    conversation.append(user(cell=Cell("c1", "run 1")), reply())
    conversation.reset()
    assert conversation.asked_from(Cell("c1", "run 2")) is None


# --- changing ------------------------------------------------------------------------------


def test_add_leaves_the_path_where_it_is():
    conversation = talk("a")
    conversation.add(user("b"), conversation.leaf)
    assert contents(conversation) == ["a", "A"]


def test_add_below_an_unknown_message_is_refused_and_adds_nothing():
    conversation = talk("a")
    with pytest.raises(InputError, match="no message 'nowhere'"):
        conversation.add(user("b"), "nowhere")
    assert len(conversation) == 2


def test_a_message_is_added_once():
    conversation = talk("a")
    with pytest.raises(InputError, match="already"):
        conversation.append(conversation.messages[0])
    assert contents(conversation) == ["a", "A"]


def test_an_append_that_is_refused_adds_none_of_its_messages():
    conversation = talk("a")
    with pytest.raises(InputError, match="already"):
        conversation.append(user("b"), conversation.messages[0])
    new = user("c")
    with pytest.raises(InputError, match="already"):
        conversation.append(new, new)
    assert contents(conversation) == ["a", "A"]
    assert len(conversation) == 2


def test_select_leads_to_the_newest_that_follows():
    conversation = talk("a", "b")
    first = conversation.messages[0]
    conversation.undo()
    conversation.append(user("c"))
    conversation.reset()
    conversation.select(first.id)
    assert contents(conversation) == ["a", "A", "c"]


def test_undo_takes_off_the_last_question_and_its_reply():
    conversation = talk("a", "b")
    assert [message.content for message in conversation.undo()] == ["b", "B"]
    assert contents(conversation) == ["a", "A"]


def test_undo_of_the_first_question_empties_the_path():
    conversation = talk("a")
    conversation.undo()
    assert conversation.leaf is None


def test_undo_keeps_what_came_before_the_first_question():
    conversation = Conversation()
    conversation.append(Message(role="system", content="be brief"), user("a"), reply("A"))
    conversation.undo()
    assert contents(conversation) == ["be brief"]


def test_undo_without_a_question_is_refused():
    with pytest.raises(InputError, match="nothing to undo"):
        Conversation().undo()


def test_what_was_undone_can_be_selected_again():
    conversation = talk("a", "b")
    undone = conversation.undo()
    conversation.select(undone[0].id)
    assert contents(conversation) == ["a", "A", "b", "B"]


def test_keep_last_n_exchanges_begins_afresh_with_copies():
    conversation = talk("a", "b", "c")
    kept = conversation.keep_last_n_exchanges(2)
    assert conversation.messages == kept
    assert contents(conversation) == ["b", "B", "c", "C"]
    assert conversation.parent(kept[0].id) is None
    assert len(conversation) == 6 + 4


def test_a_copied_reply_is_not_paid_for_twice():
    conversation = Conversation()
    conversation.append(user(cell=Cell("c1", "run 1")), reply(usage=Usage(1, 2, requests=1)))
    (question, _) = conversation.keep_last_n_exchanges(1)
    assert conversation.usage == Usage(1, 2, requests=1)
    assert question.cell is None


@pytest.mark.parametrize(("n", "kept"), [(0, []), (9, ["a", "A", "b", "B"])])
def test_keep_last_n_exchanges_takes_none_or_more_than_there_are(n, kept):
    conversation = talk("a", "b")
    conversation.keep_last_n_exchanges(n)
    assert contents(conversation) == kept


def test_a_negative_number_of_exchanges_is_refused():
    with pytest.raises(InputError, match="not -1"):
        talk("a").keep_last_n_exchanges(-1)


# --- whatever is done ----------------------------------------------------------------------


class AnyUse(RuleBasedStateMachine):
    """Any verbs in any order, beside a plain record of what was added where."""

    def __init__(self) -> None:
        super().__init__()
        self.conversation = Conversation()
        self.said: dict[str, tuple[Message, str | None]] = {}
        self.order: list[str] = []

    def _record(self, message: Message, parent: str | None) -> None:
        self.said[message.id] = (message, parent)
        self.order.append(message.id)

    def _any(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(self.order))

    @rule(roles=st.lists(st.sampled_from(["system", "user", "assistant"]), max_size=3))
    def append(self, roles: list[Role]) -> None:
        messages = [
            Message(role=role, content=role, usage=Usage(1, 2, cost=1.0, requests=1))
            for role in roles
        ]
        leaf = self.conversation.leaf
        self.conversation.append(*messages)
        for message in messages:
            self._record(message, leaf)
            leaf = message.id
        assert self.conversation.leaf == leaf

    @rule(data=st.data(), role=st.sampled_from(["user", "assistant"]), first=st.booleans())
    def add(self, data: st.DataObject, role: Role, first: bool) -> None:
        parent = None if first or not self.order else self._any(data)
        before = self.conversation.messages
        message = Message(role=role, content=role)
        self.conversation.add(message, parent)
        self._record(message, parent)
        assert self.conversation.messages == before

    @precondition(lambda self: self.order)
    @rule(data=st.data())
    def branch(self, data: st.DataObject) -> None:
        message = self._any(data)
        self.conversation.branch(message)
        assert self.conversation.messages[-1].id == message

    @precondition(lambda self: self.order)
    @rule(data=st.data())
    def select(self, data: st.DataObject) -> None:
        message = self._any(data)
        self.conversation.select(message)
        leaf = self.conversation.leaf
        assert message in [passed.id for passed in self.conversation.messages]
        assert leaf not in [parent for _, parent in self.said.values()]

    @rule()
    def undo(self) -> None:
        before = self.conversation.messages
        if not any(message.role == "user" for message in before):
            with pytest.raises(InputError):
                self.conversation.undo()
            assert self.conversation.messages == before
            return
        undone = self.conversation.undo()
        roles = [message.role for message in undone]
        assert roles[0] == "user"
        if "assistant" in roles:  # what was heard after the last reply goes with it
            assert "user" not in roles[1 : len(roles) - roles[::-1].index("assistant")]
        assert self.conversation.messages + undone == before

    @rule()
    def reset(self) -> None:
        self.conversation.reset()
        assert self.conversation.messages == ()

    @rule(n=st.integers(0, 3))
    def keep(self, n: int) -> None:
        before = self.conversation.messages
        kept = self.conversation.keep_last_n_exchanges(n)
        asked = [message.role for message in before].count("user")
        tail = before[len(before) - len(kept) :]
        assert [m.content for m in kept] == [m.content for m in tail]
        assert [m.role for m in kept].count("user") == min(n, asked)
        assert self.conversation.messages == kept
        parent = None
        for message in kept:
            self._record(message, parent)
            parent = message.id

    @invariant()
    def nothing_is_ever_destroyed_or_moved(self) -> None:
        assert [message.id for message in self.conversation] == self.order
        for message, parent in self.said.values():
            assert self.conversation[message.id] is message
            assert self.conversation.parent(message.id) == parent

    @invariant()
    def the_path_leads_from_a_first_message_to_the_leaf(self) -> None:
        parent = None
        for message in self.conversation.messages:
            assert self.said[message.id] == (message, parent)
            parent = message.id
        assert self.conversation.leaf == parent

    @invariant()
    def alternatives_share_parent_and_role(self) -> None:
        for message, parent in self.said.values():
            expected = [
                other
                for other, place in self.said.values()
                if place == parent and other.role == message.role
            ]
            assert list(self.conversation.alternatives(message.id)) == expected

    @invariant()
    def usage_is_that_of_all_that_was_said(self) -> None:
        paid = [message for message, _ in self.said.values() if message.usage]
        assert self.conversation.usage.requests == len(paid)
        assert self.conversation.usage.total_tokens == 3 * len(paid)
        assert self.conversation.usage.cost == (float(len(paid)) if paid else None)


TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = settings(
    max_examples=50, stateful_step_count=25, deadline=None, database=None
)
